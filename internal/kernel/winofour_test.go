package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/racetest"
)

// propWinogradFour draws convolutions that run on the transforms of F(4x4, 3x3) and compares them with float64. The
// bounds are so tight that a wrong tile or border is found.
func propWinogradFour(t *rapid.T) {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	g := ConvGeom{
		C: rapid.IntRange(64, 67).Draw(t, "C"), O: rapid.IntRange(64, 69).Draw(t, "O"),
		H: rapid.IntRange(14, 19).Draw(t, "H"), W: rapid.SampledFrom([]int{14, 15, 16, 19, 23, 28, 32, 35}).Draw(t,
			"W"),
		KH: 3, KW: 3, PH: 1, PW: 1,
	}
	if rapid.IntRange(0, 3).Draw(t, "other padding") == 0 {
		g.PH, g.PW = rapid.IntRange(0, 3).Draw(t, "PH"), rapid.IntRange(0, 3).Draw(t, "PW")
		g.EH, g.EW = rapid.IntRange(-g.PH, 2).Draw(t, "EH"), rapid.IntRange(-g.PW, 2).Draw(t, "EW")
		g.H, g.W = g.H+3, g.W+3
	}
	s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())}
	s.Post = drawPost(t)
	if rapid.Bool().Draw(t, "post") {
		s.PostScale, s.PostShift = randSlice[float32](rng, g.O), randSlice[float32](rng, g.O)
	}
	if rapid.Bool().Draw(t, "pre") {
		s.PreScale, s.PreShift, s.PreReLU = randSlice[float32](rng, g.C), randSlice[float32](rng, g.C),
			rapid.Bool().Draw(t, "pre relu")
	}
	x := randSlice[float32](rng, g.InLen())
	var residual []float32
	if rapid.Bool().Draw(t, "residual") {
		residual = randSlice[float32](rng, g.OutLen())
	}
	want := forward64(t, s, x, residual)
	var first []float32
	for _, name := range Levels()[1:] {
		restore, err := ForceLevel(name)
		require.NoError(t, err)
		got := func() []float32 {
			defer restore()
			var mem arena
			defer mem.free()
			c, err := NewConv(s)
			require.NoError(t, err)
			y := guarded(&mem, nans[float32](g.OutLen()))
			var r []float32
			if residual != nil {
				r = guarded(&mem, residual)
			}
			c.Forward(y, guarded(&mem, x), r, guarded(&mem, nans[float32](c.ScratchLen())))
			return append([]float32(nil), y...)
		}()
		for i := range want {
			if !(math.Abs(want[i]-float64(got[i])) <= 1e-4) {
				t.Fatalf("%s output %d of %+v: want %v, got %v", name, i, g, want[i], got[i])
			}
		}
		if first == nil {
			first = got
		}
		require.Equal(t, first, got, "bits of %+v", g)
	}
}

// forward64 evaluates a spec with the generic code in float64, which other tests compare with the definition.
func forward64(t require.TestingT, s ConvSpec[float32], x, residual []float32) []float64 {
	wide := func(x []float32) []float64 {
		if x == nil {
			return nil
		}
		return to64(x)
	}
	c, err := NewConv(ConvSpec[float64]{
		Geom: s.Geom, Weight: wide(s.Weight), PreScale: wide(s.PreScale), PreShift: wide(s.PreShift),
		PreReLU:   s.PreReLU,
		PostScale: wide(s.PostScale), PostShift: wide(s.PostShift), Post: s.Post,
	})
	require.NoError(t, err)
	y := make([]float64, s.Geom.OutLen())
	c.Forward(y, wide(x), wide(residual), make([]float64, c.ScratchLen()))
	return y
}

func TestWinogradFour(t *testing.T) { rapid.Check(t, propWinogradFour) }

// absWinogradFour returns the absolute values of the matrices of F(4x4, 3x3) for the points 0, ±3/4, ±3/2 and infinity,
// by the method of Toom and Cook.
func absWinogradFour() (a [4][6]float64, g [3][6]float64, b [6][6]float64) {
	points := [...]float64{0, 0.75, -0.75, 1.5, -1.5}
	// product returns the coefficients of the product of x-p over all points p except one.
	product := func(but int) (c [6]float64) {
		c[0] = 1
		for i, p := range points {
			if i != but {
				for k := 5; k > 0; k-- {
					c[k] = c[k-1] - p*c[k]
				}
				c[0] *= -p
			}
		}
		return c
	}
	abs := func(c [6]float64) [6]float64 {
		for i := range c {
			c[i] = math.Abs(c[i])
		}
		return c
	}
	for i, x := range points {
		c, at := product(i), 0.0
		for k, v := range c {
			at += v * math.Pow(x, float64(k))
		}
		for k := range a {
			a[k][i] = math.Abs(math.Pow(x, float64(k)))
		}
		for k := range g {
			g[k][i] = math.Abs(math.Pow(x, float64(k)) / at)
		}
		b[i] = abs(c)
	}
	a[3][5], g[2][5], b[5] = 1, 1, abs(product(-1))
	return a, g, b
}

// TestWinogradFourBound compares the error of every output with the documented bound on rounding errors.
func TestWinogradFourBound(t *testing.T) {
	racetest.OneGoroutine(t)
	a, gm, b := absWinogradFour()
	g := ConvGeom{C: 70, H: 16, W: 20, O: 64, KH: 3, KW: 3, PH: 1, PW: 1}
	rng := newRand(12)
	s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())}
	x := randSlice[float32](rng, g.InLen())
	want, _ := refForward(s, x, nil, eps32)
	atLevels(t, func(t *testing.T) {
		c, err := NewConv(s)
		require.NoError(t, err)
		y := make([]float32, g.OutLen())
		c.Forward(y, x, nil, make([]float32, c.ScratchLen()))
		share := 0.0
		for o := 0; o < g.O; o += 9 {
			for tile := range g.H / 4 * g.W / 4 {
				ty, tx := tile/(g.W/4)*4, tile%(g.W/4)*4
				var sum [6][6]float64
				for ci := range g.C {
					var u, v [6][6]float64
					for i := range 6 {
						for j := range 6 {
							for k := range 3 {
								for l := range 3 {
									u[i][j] += gm[k][i] * gm[l][j] * math.Abs(float64(s.Weight[((o*g.C+ci)*3+k)*3+l]))
								}
							}
							for k := range 6 {
								for l := range 6 {
									if iy, ix := ty+k-1, tx+l-1; iy >= 0 && iy < g.H && ix >= 0 && ix < g.W {
										v[i][j] += b[i][k] * b[j][l] * math.Abs(float64(x[(ci*g.H+iy)*g.W+ix]))
									}
								}
							}
							sum[i][j] += u[i][j] * v[i][j]
						}
					}
				}
				for i := range 4 {
					for j := range 4 {
						bound := 0.0
						for k := range 6 {
							for l := range 6 {
								bound += a[i][k] * a[j][l] * sum[k][l]
							}
						}
						bound *= eps32 / 2 * float64(g.C+13) * 1.01
						at := (o*g.H+ty+i)*g.W + tx + j
						share = max(share, math.Abs(want[at]-float64(y[at]))/bound)
					}
				}
			}
		}
		t.Logf("largest share of the bound: %.2g", share)
		if Level() != "generic" {
			require.Less(t, share, 1.0)
		}
	})
}
