package dataset

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// shapes returns pictures of several sizes and types.
func shapes(n int) []image.Image {
	out := make([]image.Image, n)
	for i := range out {
		im := image.NewNRGBA(image.Rect(2, 3, 2+3+i%4, 3+2+i%3))
		for k := range im.Pix {
			im.Pix[k] = uint8(17*i + k*k)
		}
		switch out[i] = im; i % 3 {
		case 1:
			out[i] = FromImage(im)
		case 2:
			out[i] = Labelled{im, i}
		}
	}
	return out
}

// streams returns streams of the same pictures from every kind of source.
func streams(ctx context.Context, pictures []image.Image, p nets.Preprocessing,
	o BatchOptions) map[string]graph.Batches {
	ch := make(chan image.Image, len(pictures))
	for _, im := range pictures {
		ch <- im
	}
	close(ch)
	return map[string]graph.Batches{
		"slice":    Stream(ctx, FromSlice(pictures), p, o),
		"sequence": Stream(ctx, FromSeq(slices.Values(pictures)), p, o),
		"channel":  StreamChannel(ctx, ch, p, o),
	}
}

// From every kind of source, the batches are those of a set of the same pictures, for any batch size and number of
// workers.
func TestStreamEqualsBatches(t *testing.T) {
	p := nets.CIFAR()
	p.Resize, p.Crop = 4, 3
	rapid.Check(t, func(t *rapid.T) {
		pictures := shapes(rapid.IntRange(1, 40).Draw(t, "pictures"))
		o := BatchOptions{Size: rapid.IntRange(1, 12).Draw(t, "size"), Workers: rapid.IntRange(0, 9).Draw(t, "workers")}
		images, labels := make([]Image, len(pictures)), make([]int, len(pictures))
		for i, im := range pictures {
			images[i], labels[i] = FromImage(im), -1
			if v, ok := im.(Labelled); ok {
				labels[i] = v.Label
			}
		}
		d, err := FromImages("memory", images, labels, nil)
		require.NoError(t, err)
		want, wantLabels, wantSizes, err := collect(t, Batches(context.Background(), d, p, o))
		require.NoError(t, err)
		for way, batches := range streams(context.Background(), pictures, p, o) {
			var x []float32
			var sizes, labels []int
			for b, err := range batches {
				require.NoError(t, err)
				x, sizes = append(x, b.X...), append(sizes, b.N)
				if b.Labels == nil { // no picture of the batch has a label
					b.Labels = slices.Repeat([]int{-1}, b.N)
				}
				labels = append(labels, b.Labels...)
				b.Release()
			}
			require.Equal(t, want, x, way)
			require.Equal(t, wantSizes, sizes, way)
			require.Equal(t, wantLabels, labels, way)
		}
	})
}

// Files decoded by the test have the same bits as the same files in a folder.
func TestStreamEqualsFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"rgb8.png", "grey_trns.png", "cmyk_420.jpg", "palette.gif", "palette8.bmp",
		"lossy.webp"} {
		if data, err := os.ReadFile("testdata/pictures/" + name); err == nil {
			put(t, dir, name, data)
		}
	}
	d := mustOpen(t, dir)
	require.Greater(t, d.Len(), 3)
	p := nets.Preprocessing{Resize: 9, Crop: 8, Std: [3]float32{1, 1, 1}}
	want, _, _, err := collect(t, Batches(t.Context(), d, p, BatchOptions{}))
	require.NoError(t, err)
	files := func(yield func(Image, error) bool) {
		for i := range d.Len() {
			data, err := os.ReadFile(filepath.Join(dir, d.ID(i)))
			require.NoError(t, err)
			if !yield(Decode(data)) {
				return
			}
		}
	}
	got, labels, _, err := collect(t, Stream(t.Context(), files, p, BatchOptions{}))
	require.NoError(t, err)
	require.Nil(t, labels)
	require.Equal(t, want, got)
}

func TestStreamOfNothing(t *testing.T) {
	for way, batches := range streams(t.Context(), nil, bare, BatchOptions{}) {
		_, _, sizes, err := collect(t, batches)
		require.ErrorIs(t, err, ErrNoImages, way)
		require.Empty(t, sizes)
	}
}

// The first error in order ends the stream; the batches before it arrive.
func TestStreamErrors(t *testing.T) {
	boom := errors.New("boom")
	good := func() image.Image { return noise(1, 1) }
	typed := (*image.NRGBA)(nil)
	for want, bad := range map[string]func() (image.Image, error){
		"stream of pictures: picture 13: boom": func() (image.Image,
			error) {
			return nil, boom
		},
		"picture 13: expected a picture, got nil": func() (image.Image,
			error) {
			return nil, nil
		},
		"picture 13: reading failed: runtime error": func() (image.Image,
			error) {
			return typed, nil
		},
		"picture 13: expected a class index as label, or -1 for unknown, got -2": func() (image.Image,
			error) {
			return Labelled{good(), -2}, nil
		},
		"picture 13: image of 0x0 pixels": func() (image.Image,
			error) {
			return image.NewGray(image.Rectangle{}), nil
		},
		"reading failed: picture: expected at most 178956970 pixels, got 2000000000x2000000000": func() (image.Image,
			error) {
			return image.White, nil
		},
		"picture 13: image of 1x1 pixels (height x width): expected 3 samples, got 0": func() (image.Image,
			error) {
			return Image{Height: 1, Width: 1}, nil
		},
		"picture 13: image of -1x1 pixels": func() (image.Image, error) {
			return Image{Height: -1, Width: 1}, nil
		},
		"stream of pictures: reading failed: oh": func() (image.Image, error) { panic("oh") },
	} {
		for _, workers := range []int{1, 8} {
			seq := func(yield func(image.Image, error) bool) {
				for i := range 30 {
					im, err := good(), error(nil)
					if i == 13 {
						im, err = bad()
					}
					if !yield(im, err) {
						return
					}
				}
			}
			_, _, sizes, err := collect(t, Stream(t.Context(), seq, bare, BatchOptions{Size: 5, Workers: workers}))
			require.ErrorContains(t, err, want)
			require.Equal(t, []int{5, 5}, sizes)
			if strings.HasSuffix(want, "boom") {
				require.ErrorIs(t, err, boom)
			}
		}
	}
	_, _, _, err := collect(t, Stream(t.Context(), FromSlice(shapes(3)), bare, BatchOptions{Indices: []int{1}}))
	require.ErrorContains(t, err, "stream of pictures: expected no indices, got 1")
	_, _, _, err = collect(t, Stream(t.Context(), FromSlice(shapes(3)), nets.Preprocessing{Std: [3]float32{1, 1, 1}},
		BatchOptions{}))
	require.ErrorContains(t, err,
		"stream of pictures: picture 1: expected the size of the first image after preprocessing, 2x3 (height x "+
			"width), got 3x4")
	_, _, _, err = collect(t, Stream(t.Context(), FromSlice([]Image{{}}), nets.Preprocessing{Std: [3]float32{1, 1, 1}},
		BatchOptions{}))
	require.ErrorContains(t, err, "stream of pictures: picture 0: image of 0x0 pixels")
}

// An endless sequence is read a few batches ahead, whether or not batches are released.
func TestStreamBoundsMemory(t *testing.T) {
	var given atomic.Int64
	endless := func(yield func(Image, error) bool) {
		for yield(noise(1, 1), nil) {
			given.Add(1)
		}
	}
	seen := map[*float32]bool{}
	taken := 0
	for b, err := range Stream(t.Context(), endless, bare, BatchOptions{Size: 5, Workers: 4}) {
		require.NoError(t, err)
		if taken == 50 {
			time.Sleep(20 * time.Millisecond) // time for the workers to run too far ahead
		}
		if taken += b.N; taken == 1000 {
			break
		}
		require.LessOrEqual(t, given.Load(), int64(taken+5*4+4))
		seen[&b.X[0]] = true
		b.Release()
	}
	require.LessOrEqual(t, len(seen), 6)
}

// A batch from a slow channel arrives as soon as its pictures do. Neither leaving the loop nor the end of the context
// waits for the channel.
func TestStreamChannelDoesNotWait(t *testing.T) {
	before := runtime.NumGoroutine()
	ch := make(chan Labelled) // never closed
	send := func(n int) {
		for i := range n {
			ch <- Labelled{noise(1, 1), i}
		}
	}
	go send(1)
	next, stop := iter.Pull2(StreamChannel(t.Context(), ch, bare, BatchOptions{Size: 1, Workers: 2}))
	for i := range 5 {
		b, err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
		require.Equal(t, 1, b.N)
		require.Equal(t, []int{0}, b.Labels)
		if i < 4 {
			send(1) // only after the batch before has arrived
		}
	}
	stop()

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, _, sizes, err := collect(t, StreamChannel(ctx, ch, bare, BatchOptions{}))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, sizes)
	settle(t, before)
}

func TestStreamStops(t *testing.T) {
	before := runtime.NumGoroutine()
	running := false // no lock is needed, because the sequence has returned when the loop ends
	endless := func(yield func(Image, error) bool) {
		running = true
		defer func() { running = false }()
		for yield(noise(2, 2), nil) {
		}
	}
	for _, err := range Stream(t.Context(), endless, bare, BatchOptions{Size: 2, Workers: 4}) {
		require.NoError(t, err)
		break
	}
	require.False(t, running)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range Stream(ctx, endless, bare, BatchOptions{Size: 2, Workers: 4}) {
		if last = err; err != nil {
			continue // the stream must end by itself
		}
		if n++; n == 3 {
			cancel()
		}
	}
	require.False(t, running)
	require.ErrorIs(t, last, context.Canceled)
	require.Equal(t, 3, n)
	for way, batches := range streams(ctx, shapes(3), bare, BatchOptions{}) {
		_, _, sizes, err := collect(t, batches)
		require.ErrorIs(t, err, context.Canceled, way)
		require.Empty(t, sizes)
	}
	require.Panics(t, func() {
		for range Stream(t.Context(), endless, bare, BatchOptions{}) {
			panic("consumer")
		}
	})
	require.False(t, running)
	settle(t, before)
}

func TestFromImages(t *testing.T) {
	images := []Image{noise(2, 3), noise(1, 1)}
	labels, classes := []int{1, -1}, []string{"cat", "dog"}
	d, err := FromImages("m", images, labels, classes)
	require.NoError(t, err)
	require.Equal(t, []string{"m#0", "m#1"}, ids(d))
	require.Equal(t, "m", d.Name())
	require.Equal(t, labels, d.Labels())
	require.Equal(t, classes, d.Classes())
	labels[0], classes[0] = 0, "cow"
	require.Equal(t, []int{1, -1}, d.Labels())
	require.Equal(t, []string{"cat", "dog"}, d.Classes())
	for i, want := range images {
		got, err := d.Image(i)
		require.NoError(t, err)
		require.Equal(t, want, got)
		got.Pix[0]++ // the picture belongs to the caller
		again, err := d.Image(i)
		require.NoError(t, err)
		require.Equal(t, want, again)
	}
	_, err = d.Image(2)
	require.ErrorContains(t, err, "m: expected an image from 0 to 1, got 2")
	require.NoError(t, d.Close())

	_, err = FromImages("m", nil, nil, nil)
	require.ErrorIs(t, err, ErrNoImages)
	for want, c := range map[string]struct {
		images []Image
		labels []int
	}{
		`images in memory "m": expected 2 labels, got 1`:                            {images, []int{0}},
		"images in memory m#1: expected a label of 2 classes, got 2":                {images, []int{0, 2}},
		"images in memory m#0: expected a class index as label, or -1 for unknown":  {images, []int{-2, 0}},
		"images in memory m#1: expected an image of 1 to 178956970 pixels, got 0x0": {[]Image{images[0], {}}, nil},
		"images in memory m#0: image of 1x1 pixels (height x width): expected 3 samples, got 4": {
			[]Image{{Pix: make([]uint8, 4), Height: 1, Width: 1}}, nil},
	} {
		_, err := FromImages("m", c.images, c.labels, []string{"a", "b"})
		require.ErrorContains(t, err, want)
	}
}

// An Image can be encoded by the standard library, and the decoded result converts back.
func TestImageIsAnImage(t *testing.T) {
	want := noise(5, 7)
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, want))
	got, err := Decode(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, want, FromImage(&want))
	require.Equal(t, want, FromImage(Labelled{want, 3}))
	require.Equal(t, want, FromImage(&Labelled{&want, 3}))
	require.Equal(t, want, FromImage(struct{ image.Image }{want}))
	require.Equal(t, color.RGBA{}, want.At(7, 0))
	_, err = Decode([]byte("text"))
	require.ErrorContains(t, err, "decode picture: not a JPEG")
}
