package resample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// naive resizes as Pillow's documentation and source describe it, weight by weight, the whole picture in two passes.
func naive(src []uint8, inH, inW, outH, outW int) []uint8 {
	pass := func(src []uint8, in, out, lines, step, lineStep, dstStep, dstLineStep int) []uint8 {
		if in == out {
			return src
		}
		dst := make([]uint8, lines*out*3)
		scale := float64(in) / float64(out)
		support := math.Max(1, scale)
		for o := range out {
			center := (float64(o) + 0.5) * scale
			from, to := int(math.Max(0, math.Trunc(center-support+0.5))), int(math.Min(float64(in), center+support+0.5))
			var w []float64
			sum := 0.0
			for i := from; i < to; i++ {
				d := math.Abs((float64(i) - center + 0.5) * (1 / support))
				w = append(w, math.Max(0, 1-d))
				sum += w[len(w)-1]
			}
			for l := range lines {
				for c := range 3 {
					acc := 1 << 21
					for k, v := range w {
						acc += int(src[(from+k)*step+l*lineStep+c]) * int(math.Floor(v/sum*(1<<22)+0.5))
					}
					dst[o*dstStep+l*dstLineStep+c] = uint8(min(max(acc>>22, 0), 255))
				}
			}
		}
		return dst
	}
	mid := pass(src, inW, outW, inH, 3, 3*inW, 3, 3*outW)
	return pass(mid, inH, outH, outW, 3*outW, 3, 3*outW, 3)
}

func noise(n int, seed uint64) []uint8 {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(rng.Uint32())
		if rng.Uint32()%4 == 0 {
			b[i] = 255 // saturated runs reach the upper clamp
		}
	}
	return b
}

// Any region of any resizing equals that part of the naive whole, from one resizer for all.
func TestResizeEqualsNaive(t *testing.T) {
	var z Resizer
	side := rapid.OneOf(rapid.IntRange(1, 8), rapid.IntRange(1, 70))
	rapid.Check(t, func(t *rapid.T) {
		inH, inW := side.Draw(t, "input height"), side.Draw(t, "input width")
		outH, outW := side.Draw(t, "output height"), side.Draw(t, "output width")
		if rapid.IntRange(0, 4).Draw(t, "keep") == 0 {
			outH = inH
		}
		if rapid.IntRange(0, 4).Draw(t, "keep") == 0 {
			outW = inW
		}
		var r Region
		r.Height, r.Width = rapid.IntRange(1, outH).Draw(t, "height"), rapid.IntRange(1, outW).Draw(t, "width")
		r.Top, r.Left = rapid.IntRange(0, outH-r.Height).Draw(t, "top"), rapid.IntRange(0, outW-r.Width).Draw(t, "left")
		src := noise(3*inH*inW, rapid.Uint64().Draw(t, "seed"))
		whole := naive(src, inH, inW, outH, outW)
		got := make([]uint8, 3*r.Height*r.Width)
		z.Resize(got, src, inH, inW, outH, outW, r)
		for y := range r.Height {
			at := 3 * ((r.Top+y)*outW + r.Left)
			require.Equal(t, whole[at:at+3*r.Width], got[3*y*r.Width:][:3*r.Width], "row %d", y)
		}
	})
}

// A picture of one colour keeps it: the weights add up to 1.
func TestResizeKeepsConstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.IntRange(1, 300)
		inH, inW, out := side.Draw(t, "height"), side.Draw(t, "width"), rapid.IntRange(1, 40).Draw(t, "output")
		v := rapid.Uint8().Draw(t, "value")
		src, dst := make([]uint8, 3*inH*inW), make([]uint8, 3*out*out)
		for i := range src {
			src[i] = v
		}
		var z Resizer
		z.Resize(dst, src, inH, inW, out, out, Region{Height: out, Width: out})
		for _, got := range dst {
			require.Equal(t, v, got)
		}
	})
}

// Weights of very wide filters may add up to more than 1 after rounding.
func TestClip(t *testing.T) {
	require.Equal(t, []uint8{0, 0, 1, 255, 255}, []uint8{clip(0), clip(1<<22 - 1), clip(1 << 22), clip(256<<22 - 1), clip(256 << 22)})
}

func TestResizeDoesNotAllocate(t *testing.T) {
	var z Resizer
	src, dst := noise(3*64*50, 1), make([]uint8, 3*32*32)
	allocs := testing.AllocsPerRun(20, func() { z.Resize(dst, src, 50, 64, 32, 41, Region{Left: 4, Height: 32, Width: 32}) })
	require.Zero(t, allocs)
}

// However many sizes there are, few filters are kept.
func TestResizeForgetsFilters(t *testing.T) {
	var z Resizer
	src, dst := noise(3*3000*2, 1), make([]uint8, 3*2*2)
	for h := 1000; h < 3000; h++ {
		z.Resize(dst, src, h, 2, 2, 2, Region{Height: 2, Width: 2})
		require.LessOrEqual(t, z.weights, maxKeptWeights)
		kept := 0
		for _, f := range z.filters {
			kept += len(f.weights)
		}
		require.Equal(t, kept, z.weights)
	}
}

func BenchmarkResize(b *testing.B) {
	for _, c := range []struct{ in, out, crop int }{{64, 32, 32}, {299, 256, 224}, {500, 256, 224}, {28, 32, 32}} {
		b.Run(fmt.Sprintf("%d-%d-%d", c.in, c.out, c.crop), func(b *testing.B) {
			var z Resizer
			src, dst := noise(3*c.in*c.in, 1), make([]uint8, 3*c.crop*c.crop)
			edge := (c.out - c.crop) / 2
			for b.Loop() {
				z.Resize(dst, src, c.in, c.in, c.out, c.out, Region{Top: edge, Left: edge, Height: c.crop, Width: c.crop})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
