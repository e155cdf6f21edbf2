package kernel

import (
	"math"
	"math/rand/v2"

	"pgregory.net/rapid"
)

// randSlice returns n values in [-1, 1).
func randSlice[T Float](rng *rand.Rand, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(2*rng.Float64() - 1)
	}
	return s
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// drawGeom draws a small convolution, grouped and depthwise ones included.
func drawGeom(t *rapid.T) ConvGeom {
	for {
		g := ConvGeom{
			H: rapid.IntRange(1, 13).Draw(t, "H"), W: rapid.IntRange(1, 37).Draw(t, "W"),
			KH: rapid.IntRange(1, 4).Draw(t, "KH"), KW: rapid.IntRange(1, 4).Draw(t, "KW"),
			SH: rapid.IntRange(1, 3).Draw(t, "SH"), SW: rapid.IntRange(1, 3).Draw(t, "SW"),
			PH: rapid.IntRange(0, 3).Draw(t, "PH"), PW: rapid.IntRange(0, 3).Draw(t, "PW"),
			DH: rapid.IntRange(1, 2).Draw(t, "DH"), DW: rapid.IntRange(1, 2).Draw(t, "DW"),
		}
		if rapid.Bool().Draw(t, "square") {
			g.KW, g.SW, g.PW, g.DW = g.KH, g.SH, g.PH, g.DH
		}
		if rapid.Bool().Draw(t, "uneven padding") {
			g.EH, g.EW = rapid.IntRange(-g.PH, 2).Draw(t, "EH"), rapid.IntRange(-g.PW, 2).Draw(t, "EW")
		}
		if rapid.IntRange(0, 9).Draw(t, "one pixel") == 0 {
			g.H, g.W, g.PH, g.PW, g.DH, g.DW, g.EH, g.EW = g.KH, g.KW, 0, 0, 1, 1, 0, 0
		}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			g.Groups = rapid.IntRange(1, 20).Draw(t, "groups")
			g.C, g.O = g.Groups, g.Groups*rapid.IntRange(1, 2).Draw(t, "multiplier")
		case 1:
			g.Groups = rapid.IntRange(2, 3).Draw(t, "groups")
			g.C = g.Groups * rapid.IntRange(1, 4).Draw(t, "C/G")
			g.O = g.Groups * rapid.IntRange(1, 14).Draw(t, "O/G")
		case 2:
			g.Groups = 1
			g.C, g.O = rapid.IntRange(30, 60).Draw(t, "C"), rapid.IntRange(1, 14).Draw(t, "O")
			g.H, g.W = min(g.H, 8), min(g.W, 9)
		default:
			g.Groups = 1
			g.C, g.O = rapid.IntRange(1, 9).Draw(t, "C"), rapid.IntRange(1, 30).Draw(t, "O")
		}
		if g.Check() == nil {
			return g
		}
	}
}

// refConv is the convolution by its definition, in float64. mag is the same sum over absolute values, by which bounds
// on rounding errors are scaled.
func refConv[T Float](g ConvGeom, x []float64, w []T) (y, mag []float64) {
	g = g.norm()
	oh, ow, in := g.OutH(), g.OutW(), g.C/g.Groups
	y, mag = make([]float64, g.OutLen()), make([]float64, g.OutLen())
	for o := range g.O {
		for ci := range in {
			c := o/(g.O/g.Groups)*in + ci
			for kh := range g.KH {
				for kw := range g.KW {
					weight := float64(w[((o*in+ci)*g.KH+kh)*g.KW+kw])
					for yy := range oh { // row by row, so that the sums of a row stay in cache
						iy := yy*g.SH + kh*g.DH - g.PH
						if iy < 0 || iy >= g.H {
							continue
						}
						row, at := x[(c*g.H+iy)*g.W:][:g.W], (o*oh+yy)*ow
						sums, mags := y[at:][:ow], mag[at:][:ow]
						for xx := range sums {
							if ix := xx*g.SW + kw*g.DW - g.PW; ix >= 0 && ix < len(row) {
								v := row[ix] * weight
								sums[xx] += v
								mags[xx] += math.Abs(v)
							}
						}
					}
				}
			}
		}
	}
	return y, mag
}

func to64[T Float](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func dot64(a, b []float64) (s, mag float64) {
	for i, v := range a {
		s += v * b[i]
		mag += math.Abs(v * b[i])
	}
	return s, mag
}

// nans returns n NaNs, as scratch memory that kernels must not read before they write it.
func nans[T Float](n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(math.NaN())
	}
	return s
}
