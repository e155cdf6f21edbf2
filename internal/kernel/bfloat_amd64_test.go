//go:build !noasm

package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestAMXBlock compares TDPBF16PS with its description in Intel's manual, on numbers of every size.
func TestAMXBlock(t *testing.T) {
	if bfBest() != bfAMX {
		t.Skip("this CPU or system has no AMX")
	}
	p := &bfPlan{tiles: []int{16}, pairs: bfPairsInBlock}
	p.configure()
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		span := rapid.SampledFrom([]int{2, 20, 120, 254}).Draw(t, "exponents")
		odd := rapid.IntRange(0, 3).Draw(t, "NaN and denormals") == 0
		draw := func() uint32 {
			b := rng.Uint32()&0x807fffff | uint32(max(1, 127-span/2+rng.IntN(span)))<<23
			if odd && rng.IntN(50) == 0 {
				b = []uint32{0, 1 << 31, 0x7f800000, 0xff800000, 0x7fc00000, 0x00010000, 0x80400001}[rng.IntN(7)]
			}
			return b
		}
		var a, b [16][16]uint32
		var c, want [16][16]float32
		for i := range 16 {
			for j := range 16 {
				a[i][j], b[i][j] = draw()>>16|draw()&0xffff0000, draw()>>16|draw()&0xffff0000
				c[i][j] = math.Float32frombits(draw())
			}
		}
		daz := func(x float32) float32 { return flushed(float64(x)) }
		half := func(w uint32, i int) float32 { return daz(fromBFloat16(uint16(w >> (16 * i)))) }
		for m := range 16 {
			for n := range 16 {
				var sums [2]float32
				for k := range 16 {
					for i := range 2 {
						sums[i] = multiplyAdd(sums[i], half(a[m][k], i), half(b[k][n], i))
					}
				}
				want[m][n] = flushed(float64(daz(c[m][n])) + float64(flushed(float64(sums[0])+float64(sums[1]))))
			}
		}
		amxBlock(&amxBlockArgs{unsafe.Pointer(&p.config), unsafe.Pointer(&c), unsafe.Pointer(&a), unsafe.Pointer(&b)})
		for m := range 16 {
			sameBits(t, want[m][:], c[m][:])
		}
	})
}

// TestJoinRounds compares the rounding of the vector code with the portable rounding.
func TestJoinRounds(t *testing.T) {
	if bfBest() < bfDots {
		t.Skip("this CPU has no AVX512_BF16")
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "columns")
		channels := rapid.IntRange(2, 5).Draw(t, "channels")
		g := ConvGeom{C: channels, H: 1, W: n, O: 1, KH: 1, KW: 1}.norm()
		p := &bfPlan{g: g, c: channels, m: 1, pairs: (channels + 1) / 2}
		x := make([]float32, channels*n)
		for i := range x {
			x[i] = drawWide(t, "x")
		}
		scale, shift := make([]float32, channels), make([]float32, channels)
		for i := range scale {
			scale[i], shift[i] = drawWide(t, "scale"), drawWide(t, "shift")
		}
		floor := rapid.SampledFrom([]float32{0, noFloor}).Draw(t, "floor")
		vectors := (n + 15) / 16
		out := make([]uint32, p.pairs*vectors*16)
		p.join(&bfIO{src: x, scale: scale, shift: shift, floor: floor}, unsafe.Pointer(&out[0]), 64*vectors, 64, 0, 0,
			n)
		for c := range channels {
			for i := range n {
				v := fma32(scale[c], x[c*n+i], shift[c])
				if floor > v {
					v = floor
				}
				got := uint16(out[c/2*16*vectors+i] >> (16 * (c % 2)))
				if want := toBFloat16(v); want != got && v == v {
					t.Fatalf("channel %d column %d: fma(%x, %x, %x) = %x, expected %04x, got %04x", c, i, scale[c],
						x[c*n+i], shift[c], v, want, got)
				} else if v != v {
					require.True(t, math.IsNaN(float64(fromBFloat16(got))))
				}
			}
		}
		if channels%2 == 1 {
			for i := range n {
				require.Zero(t, out[channels/2*16*vectors+i]>>16)
			}
		}
	})
}

// TestBFloat16Dots checks that AVX512_BF16 sums the pairs of all blocks in order, the odd channel of each first.
func TestBFloat16Dots(t *testing.T) {
	if bfBest() < bfDots {
		t.Skip("this CPU has no AVX512_BF16")
	}
	restore, err := ForceBFloat16("avx512bf16")
	require.NoError(t, err)
	defer restore()
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		channels, outs, n := rapid.IntRange(8, 80).Draw(t, "channels"), rapid.IntRange(1, 30).Draw(t, "outputs"),
			rapid.IntRange(2, 100).Draw(t, "pixels")
		g := ConvGeom{C: channels, H: 1, W: n, O: outs, KH: 1, KW: 1}
		spec := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen()), BFloat16: true}
		x := randSlice[float32](rng, g.InLen())
		got := runBF(t, spec, x, nil)
		round := func(v float32) float32 { return fromBFloat16(toBFloat16(v)) }
		want := make([]float32, len(got))
		for o := range outs {
			for i := range n {
				sum := float32(0)
				for c := 0; c < channels; c += 2 {
					for _, c := range []int{c + 1, c} {
						if c < channels {
							sum = multiplyAdd(sum, round(spec.Weight[o*channels+c]), round(x[c*n+i]))
						}
					}
				}
				want[o*n+i] = sum
			}
		}
		sameBits(t, want, got)
	})
}
