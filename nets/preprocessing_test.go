package nets_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/nets"
)

// preprocessing draws a preprocessing that passes Check.
func preprocessing(t *rapid.T) nets.Preprocessing {
	size := rapid.IntRange(0, 1000)
	p := nets.Preprocessing{
		Crop: size.Draw(t, "crop"),
		Interpolation: rapid.SampledFrom([]nets.Interpolation{nets.Bilinear, nets.Bicubic, nets.Nearest}).Draw(t,
			"interpolation"),
		Channels: rapid.SampledFrom([]nets.Channels{nets.RGB, nets.BGR}).Draw(t, "channels"),
		Layout:   rapid.SampledFrom([]nets.Layout{nets.NCHW, nets.NHWC}).Draw(t, "layout"),
	}
	switch rapid.IntRange(0, 2).Draw(t, "resize") {
	case 1:
		p.Resize = size.Draw(t, "shorter side")
	case 2:
		p.ResizeTo = [2]int{1 + size.Draw(t, "height"), 1 + size.Draw(t, "width")}
	}
	for c := range 3 {
		p.Mean[c] = rapid.OneOf(rapid.Just(float32(0)), rapid.Float32Range(-1e6, 1e6)).Draw(t, "mean")
		p.Std[c] = rapid.OneOf(rapid.Just(float32(1)), rapid.Float32Range(1e-30, 1e6)).Draw(t, "std")
	}
	return p
}

// TestPreprocessingJSON: a written preprocessing is read back bit by bit, and different ones have different
// descriptions.
func TestPreprocessingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, other := preprocessing(t), preprocessing(t)
		require.NoError(t, p.Check())
		data, err := json.Marshal(p)
		require.NoError(t, err)
		var got nets.Preprocessing
		require.NoError(t, json.Unmarshal(data, &got))
		require.Equal(t, p, got)
		require.Equal(t, p == other, p.String() == other.String(), "%s", p)
	})
}

func TestParsePreprocessing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.json")
	for text, want := range map[string]nets.Preprocessing{
		`{}`: {Std: [3]float32{1, 1, 1}},
		"\n{ \"resize\": 256, \"interpolation\": \"bicubic\", \"crop\": 224, \"mean\": [0.485, 0.456, 0.406], " +
			"\"std\": [0.229,0.224,0.225] }\n": func() nets.Preprocessing {
			p, err := nets.Preset("imagenet-bicubic")
			require.NoError(t, err)
			return p
		}(),
		`{"resize":[224,160],"channels":"BGR","layout":"NHWC","interpolation":"nearest"}`: {
			ResizeTo: [2]int{224, 160}, Channels: nets.BGR, Layout: nets.NHWC, Interpolation: nets.Nearest,
			Std: [3]float32{1, 1, 1},
		},
		`{"mean":[0,0,0],"std":[1,1,1],"interpolation":"bilinear","channels":"RGB","layout":"NCHW"}`: {
			Std: [3]float32{1, 1, 1},
		},
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		p, err := nets.ParsePreprocessing(path)
		require.NoError(t, err, text)
		require.Equal(t, want, p, text)
	}
	for text, want := range map[string]string{
		``:                        "expected one JSON object",
		`[]`:                      "expected one JSON object",
		`null`:                    "expected one JSON object",
		`{`:                       "expected one JSON object",
		`{"crop":224`:             "expected one JSON object",
		`{"crop":224} 1`:          "expected nothing behind the JSON object",
		`{"crop":224,"crop":224}`: `key "crop": it comes twice`,
		`{"Crop":224}`: `key "Crop": expected one of resize, interpolation, crop, channels, mean, ` +
			`std, layout`,
		`{"crop":}`:                   `key "crop": expected one JSON object`,
		`{"crop":0}`:                  `key "crop": expected a length in pixels of at least 1, got 0`,
		`{"crop":2.5}`:                `key "crop": expected a length in pixels of at least 1, got 2.5`,
		`{"crop":[224,224]}`:          `key "crop": expected a length`,
		`{"crop":null}`:               `key "crop": expected a length`,
		`{"resize":-1}`:               `key "resize": expected a length`,
		`{"resize":[1,2,3]}`:          `key "resize": expected a length in pixels or [height, width], got [1,2,3]`,
		`{"resize":[0,2]}`:            `key "resize": expected a length in pixels or [height, width], got [0,2]`,
		`{"mean":[1,2]}`:              `key "mean": expected three numbers, got [1,2]`,
		`{"mean":[1,2,null]}`:         `key "mean": expected three numbers`,
		`{"mean":[1,2,1e50]}`:         `key "mean": expected three numbers`,
		`{"mean":"0.5"}`:              `key "mean": expected three numbers, got "0.5"`,
		`{"std":[1,0,1]}`:             `key "std": expected three positive numbers, got [1,0,1]`,
		`{"std":null}`:                `key "std": expected three positive numbers, got null`,
		`{"interpolation":"Bicubic"}`: `key "interpolation": expected one of bilinear, bicubic, nearest, got "Bicubic"`,
		`{"interpolation":3}`:         `key "interpolation": expected one of bilinear, bicubic, nearest, got 3`,
		`{"channels":"rgb"}`:          `key "channels": expected one of RGB, BGR, got "rgb"`,
		`{"layout":null}`:             `key "layout": expected one of NCHW, NHWC, got null`,
		`{"mean":[` + strings.Repeat("1,", 100) + `1]}`: "1,1…",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		_, err := nets.ParsePreprocessing(path)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "preprocessing "+path+": ", text)
	}
	_, err := nets.ParsePreprocessing("imagnet")
	require.ErrorContains(t, err,
		"preprocessing: expected a JSON file or one of "+strings.Join(nets.Presets(), ", ")+`, got "imagnet": `)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = nets.ParsePreprocessing(dir)
	require.ErrorContains(t, err, dir+": expected a file")
	require.NoError(t, os.Truncate(path, 2<<20))
	_, err = nets.ParsePreprocessing(path)
	require.ErrorContains(t, err, "at most 1048576 bytes, got 2097152")
}

func TestPresets(t *testing.T) {
	require.Subset(t, nets.Presets(), []string{"imagenet", "imagenet-bicubic", "inception", "cifar10", "cifar100",
		"efficientnet-lite"})
	for _, name := range nets.Presets() {
		p, err := nets.Preset(name)
		require.NoError(t, err)
		require.NoError(t, p.Check(), name)
		parsed, err := nets.ParsePreprocessing(name)
		require.NoError(t, err)
		require.Equal(t, p, parsed)
		data, err := json.Marshal(p)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &parsed))
		require.Equal(t, p, parsed, name)
	}
	p, err := nets.Preset("efficientnet-lite")
	require.NoError(t, err)
	require.Equal(t, nets.Preprocessing{
		Resize: 256, Crop: 224, Mean: [3]float32{127. / 255, 127. / 255, 127. / 255},
		Std: [3]float32{128. / 255, 128. / 255, 128. / 255},
	}, p)
	_, err = nets.Preset("nothing")
	require.ErrorContains(t, err,
		`preprocessing: expected one of `+strings.Join(nets.Presets(), ", ")+`, got "nothing"`)
}

func TestPreprocessingString(t *testing.T) {
	one := [3]float32{1, 1, 1}
	for want, p := range map[string]nets.Preprocessing{
		"unknown":       {},
		"divide by 255": {Std: one},
		"resize 256 bilinear, crop 224, mean 0.485 0.456 0.406, std 0.229 0.224 0.225": nets.ImageNet(),
		"resize to 224×160 nearest, BGR, NHWC": {ResizeTo: [2]int{224, 160},
			Interpolation: nets.Nearest, Channels: nets.BGR, Layout: nets.NHWC, Std: one},
		"interpolation(7), channels(2), layout(9)": {Interpolation: 7, Channels: 2, Layout: 9, Std: one},
	} {
		require.Equal(t, want, p.String())
	}
}

func TestPreprocessingCheck(t *testing.T) {
	for want, change := range map[string]func(p *nets.Preprocessing){
		"got resize -1 and crop 0": func(p *nets.Preprocessing) { p.Resize = -1 },
		"got resize 0 and crop -2": func(p *nets.Preprocessing) { p.Crop = -2 },
		"a height and a width of at least 1, got 3 and 0": func(p *nets.Preprocessing) {
			p.ResizeTo = [2]int{3, 0}
		},
		"shorter side or of both, got 3 and [4, 5]": func(p *nets.Preprocessing) {
			p.Resize, p.ResizeTo = 3, [2]int{4, 5}
		},
		"bilinear, bicubic, nearest, got interpolation(3)":    func(p *nets.Preprocessing) { p.Interpolation = 3 },
		"RGB, BGR, got channels(2)":                           func(p *nets.Preprocessing) { p.Channels = 2 },
		"NCHW, NHWC, got layout(2)":                           func(p *nets.Preprocessing) { p.Layout = 2 },
		"finite, positive standard deviation of red, got 0 a": func(p *nets.Preprocessing) { p.Std = [3]float32{} },
		"positive standard deviation of blue, got 0 and -1": func(p *nets.Preprocessing) {
			p.Channels, p.Std[0] = nets.BGR, -1
		},
	} {
		p := nets.Preprocessing{Std: [3]float32{1, 1, 1}}
		require.NoError(t, p.Check())
		change(&p)
		require.ErrorContains(t, p.Check(), want)
		_, err := json.Marshal(p)
		require.ErrorContains(t, err, want)
	}
}

func TestPreprocessingFits(t *testing.T) {
	p := nets.Preprocessing{}
	require.NoError(t, p.Fits([]int{3, 5, 7}))
	p.ResizeTo = [2]int{5, 7}
	require.NoError(t, p.Fits([]int{3, 5, 7}))
	require.ErrorContains(t, p.Fits([]int{3, 7, 5}), "that resizes images to the input's 7×5 pixels, got 5×7")
	p.Layout = nets.NHWC
	require.NoError(t, p.Fits([]int{5, 7, 3}))
	p.Crop = 5
	require.ErrorContains(t, p.Fits([]int{5, 7, 3}), "that crops images to the input's 5×7 pixels, got 5×5")
	require.ErrorContains(t, p.Fits([]int{5, 7}),
		"expected input of the three axes of NHWC behind the batch, got shape [5 7]")
}

// FuzzPreprocessingJSON: any bytes give an error, or a preprocessing that can be written and read again.
func FuzzPreprocessingJSON(f *testing.F) {
	f.Add([]byte(`{"resize":[224,160],"channels":"BGR","layout":"NHWC","interpolation":"nearest","mean":[0.1,2,-3e5]}`))
	f.Add([]byte(`{"resize":256,"crop":224,"std":[0.229,0.224,0.225]}`))
	f.Add([]byte(`{"crop":{"crop":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p, q nets.Preprocessing
		if err := p.UnmarshalJSON(data); err != nil {
			require.Zero(t, p)
			return
		}
		require.NoError(t, p.Check())
		written, err := json.Marshal(p)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(written, &q))
		require.Equal(t, p, q)
	})
}

func TestWithPreprocessing(t *testing.T) {
	net, err := nets.New("resnet-cifar-8-1", 3)
	require.NoError(t, err)
	usual, ok := nets.PreprocessingByName("resnet-cifar-8-1")
	require.True(t, ok)
	require.Equal(t, nets.CIFAR(), usual)
	_, ok = nets.PreprocessingByName("mine")
	require.False(t, ok)

	p := usual
	p.Channels = nets.BGR
	other, err := net.WithPreprocessing(p)
	require.NoError(t, err)
	require.Equal(t, p, other.Preprocessing())
	require.Equal(t, usual, net.Preprocessing())
	require.Same(t, net.Params()[0], other.Params()[0])
	_, err = net.WithPreprocessing(nets.ImageNet())
	require.EqualError(t, err,
		`nets: network "resnet-cifar-8-1": expected preprocessing that crops images to the input's 32×32 pixels, `+
			`got 224×224`)
	_, err = net.WithPreprocessing(nets.Preprocessing{})
	require.ErrorContains(t, err, `nets: network "resnet-cifar-8-1": preprocessing: expected a finite mean`)
}
