package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawPost draws an activation: none or a ReLU in about half of the cases. None of the others is steep, so that bounds
// on rounding errors hold behind them.
func drawPost(t *rapid.T) Activation {
	return rapid.SampledFrom([]Activation{
		{}, {}, {}, {Kind: ActReLU}, {Kind: ActReLU}, {Kind: ActReLU}, {Kind: ActReLU6}, {Kind: ActClamp, B: 0.5},
		{Kind: ActClamp, A: -0.25, B: 0.5},
		{Kind: ActSwish, A: 1}, {Kind: ActTanh},
	}).Draw(t, "post")
}

// drawSpec draws a convolution with random weights and a random choice of pre and post operations.
func drawSpec[T Float](t *rapid.T, rng *rand.Rand) ConvSpec[T] {
	g := drawGeom(t)
	spec := ConvSpec[T]{Geom: g, Weight: randSlice[T](rng, g.WeightLen())}
	opt := func(name string, n int) []T {
		if rapid.Bool().Draw(t, name) {
			return randSlice[T](rng, n)
		}
		return nil
	}
	spec.PreScale, spec.PreShift = opt("preScale", g.C), opt("preShift", g.C)
	spec.PostScale, spec.PostShift = opt("postScale", g.O), opt("postShift", g.O)
	spec.Fixed = rapid.Bool().Draw(t, "fixed")
	spec.PreReLU, spec.Post = rapid.Bool().Draw(t, "preReLU"), drawPost(t)
	return spec
}

// refForward evaluates a spec in float64 and returns a bound on a T implementation's rounding error for each output.
func refForward[T Float](s ConvSpec[T], x, residual []T, eps float64) (y, bound []float64) {
	g := s.Geom.norm()
	pre := make([]float64, g.InLen())
	preBound := make([]float64, g.InLen())
	for i, v := range to64(x) {
		c := i / (g.H * g.W)
		if s.PreScale != nil {
			v *= float64(s.PreScale[c])
		}
		if s.PreShift != nil {
			v += float64(s.PreShift[c])
		}
		if s.PreReLU {
			v = max(v, 0)
		}
		pre[i], preBound[i] = v, 4*eps
	}
	y, mag := refConv(g, pre, s.Weight)
	absW := make([]T, len(s.Weight))
	for i, v := range s.Weight {
		absW[i] = T(math.Abs(float64(v)))
	}
	fromPre, _ := refConv(g, preBound, absW)
	bound = make([]float64, len(y))
	terms := float64(g.C / g.Groups * g.KH * g.KW)
	for i := range y {
		o := i / (g.OutH() * g.OutW())
		scale := 1.0
		if s.PostScale != nil {
			scale = float64(s.PostScale[o])
		}
		v := scale * y[i]
		if s.PostShift != nil {
			v += float64(s.PostShift[o])
		}
		if residual != nil {
			v += float64(residual[i])
		}
		bound[i] = eps*((terms+4)*mag[i]+8) + fromPre[i]
		y[i], bound[i] = s.Post.at64(v), 1.1*bound[i]
	}
	return y, bound
}

const (
	eps32 = 0x1p-23
	eps64 = 0x1p-52
)

func propConvForward[T Float](eps float64) func(*rapid.T) {
	return func(t *rapid.T) {
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		spec := drawSpec[T](t, rng)
		g := spec.Geom
		c, err := NewConv(spec)
		require.NoError(t, err)
		var mem arena
		defer mem.free()
		x := guarded(&mem, randSlice[T](rng, g.InLen()))
		var residual []T
		if rapid.Bool().Draw(t, "residual") {
			residual = guarded(&mem, randSlice[T](rng, g.OutLen()))
		}
		want, bound := refForward(spec, x, residual, eps)
		// The elements in front of the output must not change. Writing behind it would crash.
		const before = 64
		padded := guarded(&mem, randSlice[T](rng, before+g.OutLen()))
		kept := append([]T(nil), padded[:before]...)
		got := padded[before:]
		c.Forward(got, x, residual, guarded(&mem, nans[T](c.ScratchLen())))
		require.Equal(t, kept, padded[:before])
		for i := range want {
			require.InDelta(t, want[i], float64(got[i]), bound[i], "output %d of %+v", i, g)
		}
	}
}

// TestConvActivationBits compares activations that are part of a convolution with the same activations applied after
// it.
func TestConvActivationBits(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rng := newRand(rapid.Uint64().Draw(t, "seed"))
			spec := drawSpec[float32](t, rng)
			if rapid.Bool().Draw(t, "depthwise") {
				k := rapid.SampledFrom([]int{3, 5, 7}).Draw(t, "kernel")
				spec = benchSpec(ConvGeom{C: 5, O: 5, Groups: 5, H: 9, W: 12, KH: k, KW: k, SH: 1 + k%2, SW: 1 + k%2,
					PH: k / 2, PW: k / 2}, false)
				spec.Post = drawPost(t)
			}
			plain := spec
			plain.Post = Activation{}
			x := randSlice[float32](rng, spec.Geom.InLen())
			var residual []float32
			if rapid.Bool().Draw(t, "residual") {
				residual = randSlice[float32](rng, spec.Geom.OutLen())
			}
			run := func(s ConvSpec[float32]) []float32 {
				c, err := NewConv(s)
				require.NoError(t, err)
				y := make([]float32, s.Geom.OutLen())
				c.Forward(y, x, residual, nans[float32](c.ScratchLen()))
				return y
			}
			got, want := run(spec), run(plain)
			Activate(want, want, spec.Post)
			for i := range want {
				require.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "output %d", i)
			}
		})
	})
}

func TestConvForward(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propConvForward[float32](eps32)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propConvForward[float64](eps64)) })
}

// drawPlus returns an input gradient to be computed and what is to be added to it: nothing, or the values given, in
// memory of their own or in that of the gradient.
func drawPlus[T Float](t *rapid.T, mem *arena, values []T) (dx, plus []T, added bool) {
	switch rapid.SampledFrom([]string{"", "dx", "other"}).Draw(t, "plus") {
	case "dx":
		dx = guarded(mem, values)
		return dx, dx, true
	case "other":
		return guarded(mem, nans[T](len(values))), guarded(mem, values), true
	}
	return guarded(mem, nans[T](len(values))), nil, false
}

// propConvBackwardInput compares with the transpose: for a linear map J, <dy, J v> = <Jᵀ dy, v> for every v.
func propConvBackwardInput[T Float](eps float64) func(*rapid.T) {
	return func(t *rapid.T) {
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		spec := drawSpec[T](t, rng)
		g := spec.Geom
		c, err := NewConv(spec)
		require.NoError(t, err)
		var mem arena
		defer mem.free()
		x, residual := guarded(&mem, randSlice[T](rng, g.InLen())), randSlice[T](rng, g.OutLen())
		scratch := guarded(&mem, nans[T](c.ScratchLen()))
		y := guarded(&mem, make([]T, g.OutLen()))
		c.Forward(y, x, residual, scratch)
		dy := guarded(&mem, randSlice[T](rng, g.OutLen()))
		before := randSlice[T](rng, g.InLen())
		dx, plus, added := drawPlus(t, &mem, before)
		dres := randSlice[T](rng, g.OutLen())
		c.BackwardInput(dx, dy, x, y, dres, plus, scratch)

		// With the ReLUs' masks of the forward pass, the rest of the Jacobian is linear.
		masked := to64(dy)
		for i := range masked {
			if spec.Post.Kind == ActReLU && !(y[i] > 0) {
				masked[i] = 0
			}
			require.Equal(t, masked[i], float64(dres[i]), "residual gradient %d", i)
			if spec.PostScale != nil {
				masked[i] *= float64(spec.PostScale[i/(g.OutH()*g.OutW())])
			}
		}
		v := make([]float64, g.InLen())
		tangent := func() (lhs, mag float64) {
			jv := make([]float64, len(v))
			for i := range v {
				a, b := T(1), T(0)
				if spec.PreScale != nil {
					a = spec.PreScale[i/(g.H*g.W)]
				}
				if spec.PreShift != nil {
					b = spec.PreShift[i/(g.H*g.W)]
				}
				if !spec.PreReLU || a*x[i]+b > 0 {
					jv[i] = float64(a) * v[i]
				}
			}
			out, _ := refConv(g, jv, spec.Weight)
			return dot64(masked, out)
		}
		for range 8 { // some single coordinates of dx
			i := rng.IntN(len(v))
			v[i] = 1
			want, mag := tangent()
			v[i] = 0
			if added {
				want += float64(before[i])
			}
			require.InDelta(t, want, float64(dx[i]), eps*((float64(g.O*g.KH*g.KW)+6)*mag+2), "dx %d of %+v", i, g)
		}
		for i := range v { // all coordinates together
			v[i] = 2*rng.Float64() - 1
		}
		want, _ := tangent()
		if added {
			extra, _ := dot64(to64(before), v)
			want += extra
		}
		got, mag := dot64(to64(dx), v)
		require.InDelta(t, want, got, eps*(float64(g.O*g.KH*g.KW)+16)*(mag+float64(g.WeightLen()*10)))
	}
}

func TestConvBackwardInput(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propConvBackwardInput[float32](eps32)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propConvBackwardInput[float64](eps64)) })
}

func propConvBackwardWeight[T Float](eps float64) func(*rapid.T) {
	return func(t *rapid.T) {
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		g := drawGeom(t)
		var mem arena
		defer mem.free()
		n := rapid.IntRange(1, 5).Draw(t, "images")
		xs, dys := g.InLen()+rapid.IntRange(0, 9).Draw(t, "x gap"), g.OutLen()+rapid.IntRange(0, 9).Draw(t, "dy gap")
		x, dy := guarded(&mem, randSlice[T](rng, (n-1)*xs+g.InLen())),
			guarded(&mem, randSlice[T](rng, (n-1)*dys+g.OutLen()))
		dw, dbias := guarded(&mem, randSlice[T](rng, g.WeightLen())), guarded(&mem, randSlice[T](rng, g.O))
		dw0, dbias0 := append([]T(nil), dw...), append([]T(nil), dbias...)
		scratch := guarded(&mem, nans[T](ConvBackwardWeightScratch(g, n)))
		if rapid.Bool().Draw(t, "no bias") {
			ConvBackwardWeight(g, dw, nil, x, dy, n, xs, dys, scratch)
			require.Equal(t, dbias0, dbias)
		} else {
			ConvBackwardWeight(g, dw, dbias, x, dy, n, xs, dys, scratch)
			hw := g.OutH() * g.OutW()
			for o := range dbias {
				want, mag := float64(dbias0[o]), 0.0
				for image := range n {
					for _, v := range dy[image*dys+o*hw:][:hw] {
						want += float64(v)
						mag += math.Abs(float64(v))
					}
				}
				require.InDelta(t, want, float64(dbias[o]), eps*(float64(n*hw)*mag+2))
			}
		}
		hot := make([]T, len(dw))
		for range 8 {
			i := rng.IntN(len(dw))
			hot[i] = 1
			want, mag := float64(dw0[i]), 0.0
			for image := range n {
				out, _ := refConv(g, to64(x[image*xs:][:g.InLen()]), hot)
				w, m := dot64(out, to64(dy[image*dys:][:g.OutLen()]))
				want, mag = want+w, mag+m
			}
			hot[i] = 0
			require.InDelta(t, want, float64(dw[i]), eps*(float64(n*g.OutH()*g.OutW())*mag+4),
				"dw %d of %d images, %+v", i, n, g)
		}
	}
}

func TestConvBackwardWeight(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propConvBackwardWeight[float32](eps32)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propConvBackwardWeight[float64](eps64)) })
}

func TestNewConvRejects(t *testing.T) {
	ok := ConvSpec[float32]{Geom: ConvGeom{C: 4, H: 5, W: 5, O: 6, KH: 3, KW: 3, Groups: 2},
		Weight: make([]float32, 6*2*9)}
	_, err := NewConv(ok)
	require.NoError(t, err)
	for name, change := range map[string]func(*ConvSpec[float32]){
		"weight":     func(s *ConvSpec[float32]) { s.Weight = s.Weight[1:] },
		"pre scale":  func(s *ConvSpec[float32]) { s.PreScale = make([]float32, 5) },
		"groups":     func(s *ConvSpec[float32]) { s.Geom.Groups = 3 },
		"fit":        func(s *ConvSpec[float32]) { s.Geom.DH = 3 },
		"positive":   func(s *ConvSpec[float32]) { s.Geom.C = 0 },
		"range":      func(s *ConvSpec[float32]) { s.Geom.PW = -1 },
		"post scale": func(s *ConvSpec[float32]) { s.Fixed, s.PostScale = true, make([]float32, 7) },
		"bottom":     func(s *ConvSpec[float32]) { s.Geom.PH, s.Geom.EH = 1, -2 },
	} {
		s := ok
		change(&s)
		_, err := NewConv(s)
		require.ErrorContains(t, err, name)
	}
}
