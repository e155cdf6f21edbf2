package dataset

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// noise returns the picture that testdata/make_resize.py gives to Pillow.
func noise(height, width int) Image {
	pix := make([]uint8, 3*height*width)
	for i := range pix {
		pix[i] = uint8((uint32(i)*2654435761 + 97*uint32(height) + uint32(width)) >> 13)
	}
	return Image{Pix: pix, Height: height, Width: width}
}

// TestPreprocessEqualsPillow: larger and smaller sizes, odd and even ones, one pixel, extreme aspect ratios, padding,
// omitted steps.
func TestPreprocessEqualsPillow(t *testing.T) {
	want, err := npyz.ReadNpz("testdata/resize.npz")
	require.NoError(t, err)
	require.Greater(t, len(want.Names()), 60)
	for name, a := range want.All() {
		var height, width, resize, crop int
		_, err := fmt.Sscanf(name, "%dx%d_r%d_c%d", &height, &width, &resize, &crop)
		require.NoError(t, err)
		q, err := NewPreprocessor(plain(resize, crop))
		require.NoError(t, err)
		h, w, err := q.Size(height, width)
		require.NoError(t, err)
		require.Equal(t, a.Shape, []int{h, w, 3}, name)
		require.Equal(t, a.Data, samples(t, noise(height, width), plain(resize, crop)), name)
	}
}

// TestNormaliseEqualsTorch: ToTensor and Normalize of every sample value have the bits of PyTorch
// (testdata/make_normalise.py).
func TestNormaliseEqualsTorch(t *testing.T) {
	want, err := npyz.ReadNpyFile("testdata/normalise.npy")
	require.NoError(t, err)
	require.Equal(t, []int{2, 3, 256}, want.Shape)
	img := Image{Pix: make([]uint8, 3*256), Height: 1, Width: 256}
	for i := range img.Pix {
		img.Pix[i] = uint8(i / 3)
	}
	imageNet := nets.Preprocessing{Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}
	cifar := nets.CIFAR()
	cifar.Resize, cifar.Crop = 0, 0
	for k, p := range []nets.Preprocessing{cifar, imageNet} {
		dst := make([]float32, 3*256)
		require.NoError(t, Preprocess(dst, img, p))
		for i, v := range dst {
			require.Equal(t, math.Float32bits(want.Data.([]float32)[k*3*256+i]), math.Float32bits(v),
				"settings %d, value %d", k, i)
		}
	}
}

// An image of the right size is only normalised, into planes. Padding is black, which is not zero after
// normalisation.
func TestPreprocessLayout(t *testing.T) {
	p := nets.Preprocessing{Resize: 2, Crop: 2, Mean: [3]float32{0, 0, 1}, Std: [3]float32{1, 2, 1}}
	img := Image{Pix: []uint8{255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0}, Height: 2, Width: 2}
	dst := make([]float32, 12)
	require.NoError(t, Preprocess(dst, img, p))
	require.Equal(t, []float32{1, 0, 1, 0 /**/, .5, 0, 0, .5 /**/, 0, -1, -1, -1}, dst)

	p = nets.Preprocessing{Crop: 3, Mean: [3]float32{0, 0, 1}, Std: [3]float32{1, 1, 1}}
	dst = make([]float32, 27)
	require.NoError(t, Preprocess(dst, Image{Pix: []uint8{255, 255, 255}, Height: 1, Width: 1}, p))
	require.Equal(t, []float32{0, 0, 0, 0, 1, 0, 0, 0, 0 /**/, 0, 0, 0, 0, 1, 0, 0, 0, 0 /**/, -1, -1, -1, -1, 0, -1,
		-1, -1, -1}, dst)
}

// Channels and layout determine where the same values go, each with the mean and standard deviation of its channel,
// also in padding.
func TestPreprocessPlaces(t *testing.T) {
	mean, std := [3]float32{0.1, 0.2, 0.3}, [3]float32{1, 2, 3}
	for _, p := range []nets.Preprocessing{
		{},
		{Crop: 3},
		{Resize: 5, Interpolation: nets.Bicubic, Crop: 6},
		{ResizeTo: [2]int{3, 7}, Interpolation: nets.Nearest},
	} {
		img := noise(4, 6)
		swapped := noise(4, 6)
		for i := 0; i < len(swapped.Pix); i += 3 {
			swapped.Pix[i], swapped.Pix[i+2] = swapped.Pix[i+2], swapped.Pix[i]
		}
		p.Mean, p.Std = mean, std
		q, err := NewPreprocessor(p)
		require.NoError(t, err)
		h, w, err := q.Size(4, 6)
		require.NoError(t, err)
		want, got := make([]float32, 3*h*w), make([]float32, 3*h*w)
		require.NoError(t, q.Apply(want, swapped))
		p.Channels = nets.BGR
		require.NoError(t, Preprocess(got, img, p))
		require.Equal(t, want, got)
		p.Layout = nets.NHWC
		require.NoError(t, Preprocess(got, img, p))
		for i, v := range got {
			require.Equal(t, want[i%3*h*w+i/3], v)
		}
		p.Channels = nets.RGB
		require.NoError(t, Preprocess(got, swapped, p))
		for i, v := range got {
			require.Equal(t, want[i%3*h*w+i/3], v)
		}
	}
}

// With ResizeTo an image is stretched to both lengths, whatever its proportions, and a batch knows the size before
// the first image.
func TestPreprocessStretches(t *testing.T) {
	p := plain(0, 0)
	p.ResizeTo = [2]int{5, 9}
	for _, size := range [][2]int{{4, 6}, {5, 9}, {5, 40}, {1, 1}} {
		q, err := NewPreprocessor(p)
		require.NoError(t, err)
		h, w, err := q.Size(size[0], size[1])
		require.NoError(t, err)
		require.Equal(t, [2]int{5, 9}, [2]int{h, w})
		if size == [2]int{5, 9} {
			require.Equal(t, noise(5, 9).Pix, samples(t, noise(5, 9), p))
		}
	}
	set, err := FromImages("two sizes", []Image{noise(4, 6), noise(9, 2)}, nil, nil)
	require.NoError(t, err)
	for b, err := range Batches(t.Context(), set, p, BatchOptions{}) {
		require.NoError(t, err)
		require.Len(t, b.X, 2*3*5*9)
	}
}

// The image is not changed, and one preprocessor gives the same results for any sequence of sizes.
func TestPreprocessorReuse(t *testing.T) {
	q, err := NewPreprocessor(plain(12, 10))
	require.NoError(t, err)
	for range 2 {
		for _, size := range [][2]int{{40, 30}, {12, 12}, {5, 50}, {10, 11}, {13, 90}} {
			img := noise(size[0], size[1])
			got := make([]float32, 300)
			require.NoError(t, q.Apply(got, img))
			require.Equal(t, noise(size[0], size[1]), img)
			want := make([]float32, 300)
			require.NoError(t, Preprocess(want, img, plain(12, 10)))
			require.Equal(t, want, got)
		}
	}
	img, dst := noise(40, 30), make([]float32, 300)
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = q.Apply(dst, img) }))
}

func TestPreprocessRefuses(t *testing.T) {
	one := [3]float32{1, 1, 1}
	img := noise(4, 6)
	for _, c := range []struct {
		p    nets.Preprocessing
		img  Image
		n    int
		want string
	}{
		{nets.Preprocessing{}, img, 72,
			"expected a finite mean and a finite, positive standard deviation of red, got 0 and 0"},
		{nets.Preprocessing{Std: [3]float32{1, -1, 1}}, img, 72, "of green"},
		{nets.Preprocessing{Std: one, Mean: [3]float32{0, 0, float32(math.NaN())}}, img, 72,
			"standard deviation of blue, got NaN and 1"},
		{nets.Preprocessing{Std: [3]float32{1, 1, float32(math.Inf(1))}}, img, 72, "of blue"},
		{nets.Preprocessing{Std: one, Resize: -1}, img, 72, "resize -1 and crop 0"},
		{nets.Preprocessing{Std: one, Crop: 20000}, img, 72, "resize 0 and crop 20000"},
		{nets.Preprocessing{Std: one, ResizeTo: [2]int{1e9, 1e9}}, img, 72, "got 1000000000x1000000000"},
		{nets.Preprocessing{Std: one, Layout: 2}, img, 72, "got layout(2)"},
		{nets.Preprocessing{Std: one}, img, 71,
			"image of 4x6 pixels (height x width): expected room for [3 4 6], got 71 values"},
		{nets.Preprocessing{Std: one, Crop: 2}, img, 72, "expected room for [3 2 2], got 72 values"},
		{nets.Preprocessing{Std: one}, Image{Height: 4, Width: 0}, 0, "image of 4x0 pixels"},
		{nets.Preprocessing{Std: one}, Image{Pix: make([]uint8, 5), Height: 1, Width: 2}, 6,
			"expected 6 samples, got 5"},
		{nets.Preprocessing{Std: one, Resize: 1e6}, noise(1, 1000), 6,
			"would become one of 1000000x1000000000, above the limit"},
	} {
		require.ErrorContains(t, Preprocess(make([]float32, c.n), c.img, c.p), c.want)
	}
}

// With a crop even a huge resizing needs memory only for the crop.
func TestPreprocessHugeResize(t *testing.T) {
	dst := make([]float32, 3*8*8)
	require.NoError(t, Preprocess(dst, noise(1, 1000), plain(1e6, 8)))
	for _, v := range dst {
		require.GreaterOrEqual(t, v, float32(0))
	}
}

func BenchmarkPreprocess(b *testing.B) {
	for _, c := range []struct{ in, resize, crop int }{{32, 32, 32}, {64, 32, 32}, {299, 256, 224}, {500, 256, 224}} {
		b.Run(fmt.Sprintf("%d-%d-%d", c.in, c.resize, c.crop), func(b *testing.B) {
			p := nets.CIFAR()
			p.Resize, p.Crop = c.resize, c.crop
			q, err := NewPreprocessor(p)
			require.NoError(b, err)
			img, dst := noise(c.in, c.in), make([]float32, 3*c.crop*c.crop)
			b.ReportAllocs()
			for b.Loop() {
				_ = q.Apply(dst, img)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
