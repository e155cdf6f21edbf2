package resample

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var kinds = []Kind{Bilinear, Bicubic, Nearest}

// naive resizes as Pillow's documentation and source describe it, weight by weight, the whole picture in two passes.
func naive(kind Kind, src []uint8, inH, inW, outH, outW int) []uint8 {
	pass := func(src []uint8, in, out, lines, step, lineStep, dstStep, dstLineStep int) []uint8 {
		if in == out {
			return src
		}
		dst := make([]uint8, lines*out*3)
		scale := float64(in) / float64(out)
		stretch, radius := math.Max(1, scale), 1.0
		if kind == Bicubic {
			radius = 2
		}
		support := radius * stretch
		at := scale / 2 // of nearest
		for o := range out {
			center := (float64(o) + 0.5) * scale
			from, to := int(math.Max(0, math.Trunc(center-support+0.5))), int(math.Min(float64(in), center+support+0.5))
			var w []float64
			sum := 0.0
			for i := from; i < to; i++ {
				d := math.Abs((float64(i) - center + 0.5) * (1 / stretch))
				switch {
				case kind == Bilinear:
					w = append(w, math.Max(0, 1-d))
				case kind == Nearest && i == int(at):
					w = append(w, 1)
				case kind == Nearest, d >= 2:
					w = append(w, 0)
				case d < 1:
					w = append(w, (1.5*d-2.5)*d*d+1)
				default:
					w = append(w, (((d-5)*d+8)*d-4)*-0.5)
				}
				sum += w[len(w)-1]
			}
			for l := range lines {
				for c := range 3 {
					acc := 1 << 21
					for k, v := range w {
						acc += int(src[(from+k)*step+l*lineStep+c]) * int(math.Round(v/sum*(1<<22)))
					}
					dst[o*dstStep+l*dstLineStep+c] = uint8(min(max(acc>>22, 0), 255))
				}
			}
			at += scale
		}
		return dst
	}
	mid := pass(src, inW, outW, inH, 3, 3*inW, 3, 3*outW)
	return pass(mid, inH, outH, outW, 3*outW, 3, 3*outW, 3)
}

// TestResizeEqualsPillow compares with the hashes in testdata/pillow.txt, which make_pillow.py beside it writes:
// larger and smaller sizes, one pixel, extreme proportions.
func TestResizeEqualsPillow(t *testing.T) {
	text, err := os.ReadFile("testdata/pillow.txt")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Greater(t, len(lines), 200)
	var z Resizer
	for _, line := range lines {
		var name, want string
		var contrast, inH, inW, outH, outW int
		_, err := fmt.Sscan(line, &name, &contrast, &inH, &inW, &outH, &outW, &want)
		require.NoError(t, err, line)
		kind := map[string]Kind{"bilinear": Bilinear, "bicubic": Bicubic, "nearest": Nearest}[name]
		src, dst := formula(inH, inW, contrast), make([]uint8, 3*outH*outW)
		z.Resize(kind, dst, src, inH, inW, outH, outW, Region{Height: outH, Width: outW})
		sum := sha256.Sum256(dst)
		require.Equal(t, want, hex.EncodeToString(sum[:8]), line)
	}
}

// formula returns the picture that make_pillow.py computes by the same formula.
func formula(height, width, contrast int) []uint8 {
	pix := make([]uint8, 3*height*width)
	for i := range pix {
		v := int((uint32(i)*2654435761 + 97*uint32(height) + uint32(width)) >> 13 & 255)
		pix[i] = uint8(min(max((v-128)*contrast+128, 0), 255))
	}
	return pix
}

func noise(n int, seed uint64) []uint8 {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(rng.Uint32())
		if rng.Uint32()%4 == 0 {
			b[i] = 255 // runs of white reach the upper clamp
		}
	}
	return b
}

// Any region of any resizing equals that part of the naive result, with one resizer for all.
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
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		whole := naive(kind, src, inH, inW, outH, outW)
		got := make([]uint8, 3*r.Height*r.Width)
		z.Resize(kind, got, src, inH, inW, outH, outW, r)
		for y := range r.Height {
			at := 3 * ((r.Top+y)*outW + r.Left)
			require.Equal(t, whole[at:at+3*r.Width], got[3*y*r.Width:][:3*r.Width], "row %d", y)
		}
	})
}

// A picture of one colour keeps its colour, since the weights sum to 1.
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
		z.Resize(rapid.SampledFrom(kinds).Draw(t, "kind"), dst, src, inH, inW, out, out,
			Region{Height: out, Width: out})
		for _, got := range dst {
			require.Equal(t, v, got)
		}
	})
}

// Weights of very wide filters may add up to more than 1 after rounding, and those of bicubic can be negative.
func TestClip(t *testing.T) {
	require.Equal(t, []uint8{0, 0, 0, 1, 255, 255}, []uint8{clip(-1 << 22), clip(0), clip(1<<22 - 1), clip(1 << 22),
		clip(256<<22 - 1), clip(256 << 22)})
}

func TestResizeDoesNotAllocate(t *testing.T) {
	var z Resizer
	src, dst := noise(3*64*50, 1), make([]uint8, 3*32*32)
	allocs := testing.AllocsPerRun(20, func() {
		z.Resize(Bicubic, dst, src, 50, 64, 32, 41, Region{Left: 4, Height: 32, Width: 32})
	})
	require.Zero(t, allocs)
}

// TestResizeForgetsFilters: few filters are kept however many sizes there are.
func TestResizeForgetsFilters(t *testing.T) {
	var z Resizer
	src, dst := noise(3*3000*2, 1), make([]uint8, 3*2*2)
	for h := 1000; h < 3000; h++ {
		z.Resize(Bilinear, dst, src, h, 2, 2, 2, Region{Height: 2, Width: 2})
		require.LessOrEqual(t, z.weights, maxKeptWeights)
		kept := 0
		for _, f := range z.filters {
			kept += len(f.weights)
		}
		require.Equal(t, kept, z.weights)
	}
}

func BenchmarkResize(b *testing.B) {
	for _, c := range []struct {
		kind          Kind
		in, out, crop int
	}{{Bilinear, 64, 32, 32}, {Bilinear, 299, 256, 224}, {Bilinear, 500, 256, 224}, {Bilinear, 28, 32, 32},
		{Bicubic, 500, 256, 224}, {Nearest, 500, 256, 224}} {
		b.Run(fmt.Sprintf("kind%d-%d-%d-%d", c.kind, c.in, c.out, c.crop), func(b *testing.B) {
			var z Resizer
			src, dst := noise(3*c.in*c.in, 1), make([]uint8, 3*c.crop*c.crop)
			edge := (c.out - c.crop) / 2
			for b.Loop() {
				z.Resize(c.kind, dst, src, c.in, c.in, c.out, c.out, Region{Top: edge, Left: edge, Height: c.crop,
					Width: c.crop})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
