package line_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// pictures draws n random pictures with alpha.
func pictures(n, width, height int, seed uint64) []image.Image {
	rng := rand.New(rand.NewPCG(seed, 7))
	out := make([]image.Image, n)
	for i := range out {
		p := image.NewNRGBA(image.Rect(0, 0, width, height))
		for j := range p.Pix {
			p.Pix[j] = uint8(rng.IntN(256))
		}
		out[i] = p
	}
	return out
}

// TestPicturesAreTheFiles: pictures in memory get the same bits as the same pictures in PNG files, one by one and
// many at a time.
func TestPicturesAreTheFiles(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 8)
	det := fit(t, net, nettest.Stream(nettest.Batch(20, net.InputShape(), 3, 1)),
		line.Options{ActivationPercentile: 40})
	all := append(pictures(40, 32, 32, 1), pictures(20, 48, 37, 2)...)
	all = append(all, pictures(10, 20, 60, 3)...)
	dir := t.TempDir()
	for i, p := range all {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%03d.png", i)))
		require.NoError(t, err)
		require.NoError(t, png.Encode(f, p))
		require.NoError(t, f.Close())
	}
	set, err := dataset.Open(dir)
	require.NoError(t, err)
	defer set.Close()
	ctx := context.Background()
	want, err := det.Score(ctx, dataset.Batches(ctx, set, net.Preprocessing(), dataset.BatchOptions{}))
	require.NoError(t, err)
	require.Len(t, want.Score, 70)

	i, flagged := 0, 0
	for r, err := range det.ScoreImages(ctx, slices.Values(all)) {
		require.NoError(t, err)
		ood, err := det.IsOOD(want.Score[i])
		require.NoError(t, err)
		require.Equal(t, line.Result{Score: want.Score[i], Prediction: want.Prediction[i], OOD: ood, Judged: true}, r,
			"picture %d", i)
		one, err := det.ScoreImage(ctx, all[i])
		require.NoError(t, err)
		require.Equal(t, r, one, "picture %d", i)
		if i++; r.OOD {
			flagged++
		}
	}
	require.Equal(t, 70, i)
	require.Positive(t, flagged, "the test needs pictures on both sides")
	require.Less(t, flagged, 70)
}

// TestPicturesOfEveryType: the stored colours count, whichever image type holds them and wherever its bounds begin.
func TestPicturesOfEveryType(t *testing.T) {
	det := forPicturesDetector(t)
	score := func(img image.Image) float64 {
		r, err := det.ScoreImage(context.Background(), img)
		require.NoError(t, err)
		return r.Score
	}
	solid := func(c color.NRGBA) image.Image {
		p := image.NewNRGBA(image.Rect(0, 0, 2, 1))
		p.SetNRGBA(0, 0, c)
		p.SetNRGBA(1, 0, color.NRGBA{R: 9, G: 8, B: 7, A: 255})
		return p
	}
	rect := image.Rect(-3, 5, -1, 6)
	with := func(img interface {
		image.Image
		Set(x, y int, c color.Color)
	}, c color.Color) image.Image {
		img.Set(-3, 5, c)
		img.Set(-2, 5, color.NRGBA{R: 9, G: 8, B: 7, A: 255})
		return img
	}
	want := score(solid(color.NRGBA{R: 200, G: 100, B: 50, A: 255}))
	require.NotEqual(t, want, score(solid(color.NRGBA{R: 201, G: 100, B: 50, A: 255})),
		"the test needs a network that sees a step")
	clear, half := color.NRGBA{R: 200, G: 100, B: 50}, color.NRGBA{R: 200, G: 100, B: 50, A: 128}
	large := image.NewNRGBA(image.Rect(-10, 0, 10, 10))
	for name, img := range map[string]image.Image{
		"NRGBA, transparent":   with(image.NewNRGBA(rect), clear),
		"NRGBA64, transparent": with(image.NewNRGBA64(rect), color.NRGBA64{R: 200<<8 + 255, G: 100 << 8, B: 50<<8 + 3}),
		"palette, transparent": with(image.NewPaletted(rect, color.Palette{color.NRGBA{R: 9, G: 8, B: 7, A: 255},
			clear}), clear),
		"RGBA":                 with(image.NewRGBA(rect), color.NRGBA{R: 200, G: 100, B: 50, A: 255}),
		"RGBA64, half":         with(image.NewRGBA64(rect), half),
		"part of a larger one": with(large, clear).(*image.NRGBA).SubImage(rect),
		"a type of one's own":  struct{ image.Image }{with(image.NewNRGBA(rect), clear)},
	} {
		require.Equal(t, want, score(img), name)
	}
	grey := image.NewGray(rect)
	grey.Pix = []uint8{77, 30}
	grey16 := image.NewGray16(rect)
	grey16.Pix = []uint8{0, 77, 0, 30} // as in a file of 16-bit grey, values above 255 become white
	triple := image.NewNRGBA(rect)
	triple.Pix = []uint8{77, 77, 77, 0, 30, 30, 30, 255}
	luma := image.NewYCbCr(rect, image.YCbCrSubsampleRatio444)
	luma.Y[0], luma.Y[1] = 77, 30
	for i := range luma.Cb {
		luma.Cb[i], luma.Cr[i] = 128, 128
	}
	transparent := &image.NYCbCrA{YCbCr: *luma, A: []uint8{0, 255}, AStride: 2}
	for _, img := range []image.Image{grey, grey16, luma, transparent} {
		require.Equal(t, score(triple), score(img), "%T", img)
	}
}

// forPictures is the tiny network with an input of three channels and 2×1 pixels.
type forPictures struct {
	*tiny
	std [3]float32
}

func newForPictures(std [3]float32) forPictures {
	n := newTiny(2, 5, 1)
	n.params[0] = graph.NewParam("conv.weight", 5, 3, 3, 3)
	nettest.Fill(n.params, 1)
	return forPictures{n, std}
}

func (forPictures) InputShape() []int                   { return []int{3, 1, 2} }
func (n forPictures) Preprocessing() nets.Preprocessing { return nets.Preprocessing{Std: n.std} }

// seesAll switches off all steps, which could hide differences between pictures.
var seesAll = line.Options{NoClipping: true, NoActivationPruning: true, NoWeightPruning: true}

// forPicturesDetector is a detector of that network with all steps off.
func forPicturesDetector(t testing.TB) *line.Detector {
	net := newForPictures([3]float32{0.1, 0.2, 0.3})
	return fit(t, net, nettest.Stream(nettest.Batch(6, net.InputShape(), 2, 1)), seesAll)
}

func TestPicturesRefused(t *testing.T) {
	det := forPicturesDetector(t)
	ctx := context.Background()
	good := pictures(1, 2, 1, 1)[0]
	for name, bad := range map[string]struct {
		img  image.Image
		want string
	}{
		"nil":   {nil, "picture is nil"},
		"empty": {image.NewGray(image.Rect(3, 3, 3, 9)), "picture of 0×6 pixels has none"},
		"huge": {image.NewUniform(color.Gray{7}),
			"picture: expected at most 178956970 pixels, got 2000000000×2000000000"},
		"larger": {pictures(1, 3, 1, 1)[0],
			"preprocessed picture of 3×1 pixels: expected 2×1, got 3×1 (width × height)"},
	} {
		_, err := det.ScoreImage(ctx, bad.img)
		require.EqualError(t, err, "line: "+bad.want, name)
		for _, before := range []int{0, 5, 32, 40} {
			seen := 0
			var last error
			for r, err := range det.ScoreImages(ctx, slices.Values(append(slices.Repeat([]image.Image{good}, before),
				bad.img, good))) {
				require.NoError(t, last, "an error comes last")
				if last = err; err == nil {
					require.True(t, r.Judged)
					seen++
				}
			}
			require.EqualError(t, last, fmt.Sprintf("line: picture %d: %s", before, bad.want))
			require.Equal(t, before, seen, "those before it have results")
		}
	}
	for range det.ScoreImages(ctx, slices.Values([]image.Image{})) {
		t.Fatal("no pictures, no results")
	}

	channels := newTiny(2, 5, 1)
	other := fit(t, channels, nettest.Stream(channels.batch(6, 1)), line.DefaultOptions())
	_, err := other.ScoreImage(ctx, good)
	require.EqualError(t, err,
		"line: network tiny: expected input of shape [3, height, width] for pictures, got [2 5 4]")
	for _, err := range other.ScoreImages(ctx, slices.Values([]image.Image{good})) {
		require.ErrorContains(t, err, "expected input of shape [3, height, width] for pictures, got [2 5 4]")
	}
	unset, err := line.New(ctx, newForPictures([3]float32{}), det.Contributions(), seesAll)
	require.NoError(t, err)
	_, err = unset.ScoreImage(ctx, good)
	require.ErrorContains(t, err,
		"line: network tiny: preprocessing: expected a finite mean and a finite, positive standard deviation of red, "+
			"got 0 and 0")

	broken := newForPictures([3]float32{1, 1, 1})
	broken.params[0].Float32s()[4] = float32(math.NaN())
	nan, err := line.New(ctx, broken, det.Contributions(), seesAll)
	require.NoError(t, err)
	_, err = nan.ScoreImage(ctx, good)
	require.EqualError(t, err, "line: score of image 0 is NaN")
	for _, err := range nan.ScoreImages(ctx, slices.Values([]image.Image{good})) {
		require.EqualError(t, err, "line: score of image 0 is NaN")
	}
}

// TestEveryPictureHasAResult, however many pictures the last batch holds.
func TestEveryPictureHasAResult(t *testing.T) {
	det := forPicturesDetector(t)
	for _, n := range []int{1, 31, 32, 33, 64, 65} {
		all := pictures(n, 2, 1, uint64(n))
		var got []line.Result
		for r, err := range det.ScoreImages(context.Background(), slices.Values(all)) {
			require.NoError(t, err)
			got = append(got, r)
		}
		require.Len(t, got, n)
		last, err := det.ScoreImage(context.Background(), all[n-1])
		require.NoError(t, err)
		require.Equal(t, last, got[n-1])
	}
}

// TestLeavingPictures: the loop may be left, and the context may end, at any picture.
func TestLeavingPictures(t *testing.T) {
	det := forPicturesDetector(t)
	good := pictures(1, 2, 1, 1)[0]
	before := runtime.NumGoroutine()
	for _, n := range []int{1, 31, 32, 33, 100} {
		read, seen := 0, 0
		endless := func(yield func(image.Image) bool) {
			for read++; yield(good); read++ {
			}
		}
		for _, err := range det.ScoreImages(context.Background(), endless) {
			require.NoError(t, err)
			if seen++; seen == n {
				break
			}
		}
		require.Less(t, read, n+10*32, "pictures are read a few batches ahead")

		ctx, cancel := context.WithCancel(context.Background())
		seen = 0
		var last error
		for _, err := range det.ScoreImages(ctx, endless) {
			if last = err; err == nil {
				if seen++; seen == n {
					cancel()
				}
			}
		}
		cancel()
		require.ErrorIs(t, last, context.Canceled)
		_, err := det.ScoreImage(ctx, good)
		require.ErrorIs(t, err, context.Canceled)
	}
	for start := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		require.Less(t, time.Since(start), 5*time.Second, "%d goroutines are left over", runtime.NumGoroutine()-before)
	}
}
