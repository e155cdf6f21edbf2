package kernel

import (
	"hash/fnv"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBitsOfAllProcessors holds the bits of vector code fixed, so that NEON's are those of AVX2 and AVX-512 although no
// machine has both. Winograd's transforms and depthwise 3x3 convolutions are not among them: NEON sums these directly,
// and in another order.
func TestBitsOfAllProcessors(t *testing.T) {
	conv := func(g ConvGeom, backward bool) func() []float32 {
		return func() []float32 {
			spec := benchSpec(g, true)
			c, err := NewConv(spec)
			require.NoError(t, err)
			rng := newRand(3)
			x, dy := randSlice[float32](rng, g.InLen()), randSlice[float32](rng, g.OutLen())
			scratch, y := make([]float32, c.ScratchLen()), make([]float32, g.OutLen())
			c.Forward(y, x, dy, scratch)
			if !backward {
				return y
			}
			dx, dw := make([]float32, g.InLen()), make([]float32, g.WeightLen()+g.O)
			c.BackwardInput(dx, dy, x, y, nil, nil, scratch)
			ConvBackwardWeight(g, dw[:g.WeightLen()], dw[g.WeightLen():], x, dy, 1, 0, 0,
				make([]float32, ConvBackwardWeightScratch(g, 1)))
			return append(append(y, dx...), dw...)
		}
	}
	const n, in, out = 7, 77, 29
	rng := newRand(2)
	x, w, dy := randSlice[float32](rng, n*in), randSlice[float32](rng, out*in), randSlice[float32](rng, n*out)
	into := func(size int, f func(dst []float32)) func() []float32 {
		return func() []float32 {
			dst := make([]float32, size)
			f(dst)
			return dst
		}
	}
	for _, c := range []struct {
		name string
		want uint64
		run  func() []float32
	}{
		{"pointwise", 0xbd9351f6fc4031a, conv(ConvGeom{C: 70, H: 9, W: 11, O: 31, KH: 1, KW: 1}, true)},
		{"pointwise in blocks", 0x94d9e4b281dbc9b6, conv(ConvGeom{C: 800, H: 5, W: 7, O: 13, KH: 1, KW: 1}, true)},
		{"strided", 0xc5c89fd469c2d041,
			conv(ConvGeom{C: 10, H: 13, W: 16, O: 14, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2}, true)},
		{"3x3", 0xb3edbcaa9c417a13, conv(ConvGeom{C: 6, H: 12, W: 17, O: 14, KH: 3, KW: 3, PH: 1, PW: 1}, true)},
		{"grouped", 0x80ed82da7c68e472,
			conv(ConvGeom{C: 8, H: 9, W: 9, O: 12, KH: 3, KW: 2, DH: 2, Groups: 2, PH: 1}, true)},
		{"depthwise 5x5", 0x99e44d232468fd0,
			conv(ConvGeom{C: 5, H: 19, W: 23, O: 5, KH: 5, KW: 5, PH: 2, PW: 2, Groups: 5}, false)},
		{"depthwise 7x7 strided", 0x605bc005f6614b99,
			conv(ConvGeom{C: 5, H: 19, W: 23, O: 5, KH: 7, KW: 7, PH: 3, PW: 3, SH: 2, SW: 2,
				Groups: 5}, false)},
		{"linear", 0x9ceed5c1c03b050e, into(n*out, func(d []float32) { Linear(d, x, w, nil, n, in, out) })},
		{"linear, input gradient", 0x5828763353641d14,
			into(n*in, func(d []float32) { LinearBackwardInput(d, dy, w, n, in, out) })},
		{"linear, weight gradient", 0xe59e833028473d85, into(out*in, func(d []float32) {
			LinearBackwardWeight(d, nil, x, dy, n, in, out)
		})},
		{"routed", 0xc1358cdcd0d0d710,
			into(out, func(d []float32) { RoutedLinear(d, x[:in], w, nil, x[in:2*in], 0.1, in, out) })},
		{"routed, input gradient", 0xc24420ea067f510a, into(in, func(d []float32) {
			RoutedLinearBackwardInput(d, dy[:out], w, x[:in], 0.1, in, out)
		})},
		{"matrix product", 0xe5defedda04c746d, into(n*out, func(d []float32) {
			r := NewRight[float32](in, out)
			r.Pack(w, true)
			r.Mul(d, x, n, false, false, make([]float32, r.ScratchLen(n)))
		})},
		{"mean", 0x463d9886a01adaab, into(n, func(d []float32) { GlobalAvgPool(d, x, n, in) })},
		{"mean of four", 0xd7a84bda4a3568f1, into(3*38, func(d []float32) {
			AvgPool(PoolGeom{C: 1, H: 7, W: 77, KH: 2, KW: 2, SH: 2, SW: 2}, d, x)
		})},
		{"affine", 0x6bbde3710b67c49e, into(n*in, func(d []float32) { Affine(d, x, dy, w, n, in, true) })},
		{"softmax", 0x53b628790235a547, into(n*in, func(d []float32) { SoftmaxRows(d, x, n, in) })},
	} {
		atLevels(t, func(t *testing.T) {
			if Level() == "generic" {
				t.Skip("portable code rounds products by themselves, or not, as the compiler chooses")
			}
			h := fnv.New64a()
			for _, v := range c.run() {
				b := math.Float32bits(v)
				_, _ = h.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
			}
			require.Equalf(t, c.want, h.Sum64(), "%s: got %#x", c.name, h.Sum64())
		})
	}
}
