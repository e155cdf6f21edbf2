package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
)

func TestSchedules(t *testing.T) {
	at := func(c ScheduleConfig, epochs, steps int) []float64 {
		s, err := NewSchedule(c, epochs, steps)
		require.NoError(t, err)
		out := make([]float64, epochs*steps)
		for i := range out {
			out[i] = s(i)
		}
		return out
	}
	require.InDeltaSlice(t, []float64{2, 2, 2}, at(ScheduleConfig{LearningRate: 2}, 3, 1), 1e-15)
	require.InDeltaSlice(t, []float64{0.5, 1, 1.5, 2, 2, 2}, at(ScheduleConfig{LearningRate: 2, Warmup: 2}, 3, 2),
		1e-15)
	require.InDeltaSlice(t, []float64{8, 8, 4, 4, 2, 2}, at(ScheduleConfig{Name: StepDecay, LearningRate: 8, Every: 1,
		Gamma: 0.5}, 3, 2), 1e-15)
	require.InDeltaSlice(t, []float64{4, 2 + math.Sqrt2, 2, 2 - math.Sqrt2},
		at(ScheduleConfig{Name: Cosine, LearningRate: 4}, 2, 2), 1e-12)
	cycle := at(ScheduleConfig{Name: OneCycle, LearningRate: 25, Warmup: 1, Final: 0.2}, 4, 3)
	require.InDelta(t, 1, cycle[0], 1e-12)
	require.InDelta(t, 25, cycle[2], 1e-12)
	require.InDelta(t, 5, cycle[11], 1e-12)
}

func TestScheduleNeverExceedsItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		epochs, steps := rapid.IntRange(1, 9).Draw(t, "epochs"), rapid.IntRange(1, 9).Draw(t, "steps")
		c := ScheduleConfig{
			Name:         rapid.SampledFrom([]string{Constant, StepDecay, Cosine, OneCycle}).Draw(t, "name"),
			LearningRate: rapid.Float64Range(1e-6, 10).Draw(t, "rate"), Every: 2,
			Warmup: rapid.Float64Range(0, float64(epochs)*0.99).Draw(t, "warmup"),
			Final:  rapid.Float64Range(0, 1).Draw(t, "final"),
		}
		s, err := NewSchedule(c, epochs, steps)
		require.NoError(t, err)
		for i := range epochs * steps {
			require.LessOrEqual(t, s(i), c.LearningRate*(1+1e-12))
			require.GreaterOrEqual(t, s(i), 0.0)
		}
	})
}

func param(values ...float32) *graph.Param {
	p := graph.NewParam("w", len(values), 1)
	copy(p.Float32s(), values)
	return p
}

func TestOptimizersByHand(t *testing.T) {
	step := func(c OptimizerConfig, grads ...float32) float32 {
		p := param(2)
		o, err := NewOptimizer(c, []*graph.Param{p})
		require.NoError(t, err)
		for _, g := range grads {
			o.Step(0.1, [][]float32{{g}})
		}
		require.Equal(t, len(grads), o.Steps())
		return p.Float32s()[0]
	}
	require.InDelta(t, 2-0.1*3, step(OptimizerConfig{}, 3), 1e-6)
	require.InDelta(t, 2-0.1*(3+0.5*2), step(OptimizerConfig{WeightDecay: 0.5}, 3), 1e-6)
	require.InDelta(t, 2*(1-0.1*0.5)-0.1*3, step(OptimizerConfig{Name: SGDW, WeightDecay: 0.5}, 3), 1e-6)
	require.InDelta(t, 2-0.1*3-0.1*(0.5*3+1), step(OptimizerConfig{Momentum: 0.5}, 3, 1), 1e-6)
	require.InDelta(t, 2-0.1*(3+1.5)-0.1*(1+0.5*2.5), step(OptimizerConfig{Momentum: 0.5, Nesterov: true}, 3, 1), 1e-6)
	// Adam's first step has the size of the learning rate, for any gradient.
	require.InDelta(t, 2-0.1, step(OptimizerConfig{Name: AdamW}, 3), 1e-5)
	require.InDelta(t, 2*(1-0.1*0.5)+0.1, step(OptimizerConfig{Name: AdamW, WeightDecay: 0.5}, -1e-3), 1e-4)
}

func TestKeepVectorsExemptsThemFromDecay(t *testing.T) {
	for _, name := range []string{SGD, SGDW, AdamW} {
		vector := graph.NewParam("bias", 1)
		vector.Float32s()[0] = 1
		matrix := param(1)
		o, err := NewOptimizer(OptimizerConfig{Name: name, WeightDecay: 0.5, ExemptVectors: true},
			[]*graph.Param{vector, matrix})
		require.NoError(t, err)
		o.Step(0.1, [][]float32{{0}, {0}})
		require.Equal(t, float32(1), vector.Float32s()[0], name)
		require.Less(t, matrix.Float32s()[0], float32(1), name)
	}
}

func TestClip(t *testing.T) {
	g := [][]float32{{3, 0}, {4}}
	require.InDelta(t, 5, Clip(g, 10), 1e-12)
	require.Equal(t, [][]float32{{3, 0}, {4}}, g)
	require.InDelta(t, 5, Clip(g, 0), 1e-12)
	require.InDelta(t, 5, Clip(g, 1), 1e-12)
	require.InDelta(t, 1, Norm(g), 1e-5)
	require.InDelta(t, 0.6, g[0][0], 1e-5)
	require.True(t, math.IsNaN(Clip([][]float32{{float32(math.NaN())}}, 1)))
}

func TestAverage(t *testing.T) {
	p := param(0)
	a := newAverage([]*graph.Param{p}, 0.5)
	want := 0.0
	for step := 1; step <= 20; step++ {
		p.Float32s()[0] = float32(step)
		a.update(step)
		d := min(0.5, float64(1+step)/float64(10+step))
		want = d*want + (1-d)*float64(step)
	}
	a.swap()
	require.InDelta(t, want, p.Float32s()[0], 1e-4)
	a.swap()
	require.Equal(t, float32(20), p.Float32s()[0])
}

// TestVary compares with a literal implementation of each transformation, over all of its random choices.
func TestVary(t *testing.T) {
	const h, w = 5, 6
	src := make([]float32, 3*h*w)
	for i := range src {
		src[i] = float32(i + 1)
	}
	black := [3]float32{-1, -2, -3}
	// where returns the value of src at a place, black outside of the image.
	where := func(c, y, x int) float32 {
		if y < 0 || y >= h || x < 0 || x >= w {
			return black[c]
		}
		return src[(c*h+y)*w+x]
	}
	type choice struct {
		dy, dx int
		mirror bool
	}
	seen := map[choice]bool{}
	a := Augmentation{Crop: 2, Flip: true}
	for seed := range uint64(600) {
		dst := make([]float32, len(src))
		a.vary(dst, src, h, w, black, rand.New(rand.NewPCG(seed, 1)))
		found := false
		for dy := -2; dy <= 2; dy++ {
			for dx := -2; dx <= 2; dx++ {
				for _, mirror := range []bool{false, true} {
					same := true
					for i := range dst {
						c, y, x := i/h/w, i/w%h, i%w
						if mirror {
							x = w - 1 - x
						}
						same = same && dst[i] == where(c, y+dy, x+dx)
					}
					if same {
						found = true
						seen[choice{dy, dx, mirror}] = true
					}
				}
			}
		}
		require.True(t, found, "seed %d", seed)
	}
	require.Len(t, seen, 50, "every shift, mirrored and not")
}

func TestCutout(t *testing.T) {
	const h, w, side = 6, 6, 3
	src := make([]float32, 3*h*w)
	for i := range src {
		src[i] = 1
	}
	sizes := map[int]bool{}
	for seed := range uint64(300) {
		dst := make([]float32, len(src))
		Augmentation{Cutout: side}.vary(dst, src, h, w, [3]float32{}, rand.New(rand.NewPCG(seed, 2)))
		top, left, bottom, right, blank := h, w, -1, -1, 0
		for i, v := range dst[:h*w] {
			require.Equal(t, v, dst[h*w+i], "all channels alike")
			if v == 0 {
				blank++
				top, left, bottom, right = min(top, i/w), min(left, i%w), max(bottom, i/w), max(right, i%w)
			}
		}
		require.Equal(t, (bottom-top+1)*(right-left+1), blank, "one rectangle")
		require.LessOrEqual(t, max(bottom-top, right-left)+1, side)
		sizes[blank] = true
	}
	require.True(t, sizes[9] && sizes[4] && sizes[6], "whole, at a corner, at an edge")
}

func TestPartnerSharesAreBeta(t *testing.T) {
	a := Augmentation{Mixup: 0.4}
	var mean, square float64
	const n = 4000
	for i := range n {
		j, share := a.partner(10, stream(1, 2, i))
		require.True(t, j >= 0 && j < 10 && share >= 0 && share <= 1)
		mean += share / n
		square += share * share / n
	}
	variance := 1 / (4 * (2*0.4 + 1)) // the variance of Beta(a, a)
	require.InDelta(t, 0.5, mean, 5*math.Sqrt(variance/n))
	require.InDelta(t, variance, square-mean*mean, 0.01)
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(4) {
		for epoch := range 4 {
			for index := range 100 {
				seen[stream(seed, epoch, index).Uint64()] = true
			}
		}
	}
	require.Len(t, seen, 1600)
}

// TestMixupNearZero: shares are numbers for parameters of any size. For tiny ones they are 0 or 1, as in the limit of
// the beta distribution.
func TestMixupNearZero(t *testing.T) {
	for _, alpha := range []float64{5e-324, 1e-30, 1e-3, 0.2, 1, 1e6} {
		a := Augmentation{Mixup: alpha}
		low, sum := 0, 0.0
		const n = 2000
		for i := range n {
			share := partnerShare(a, i)
			require.True(t, share >= 0 && share <= 1, "%v: %v", alpha, share)
			if share < 0.5 {
				low++
			}
			sum += share
			if alpha <= 1e-30 {
				require.True(t, share == 0 || share == 1, "%v", share)
			}
		}
		require.InDelta(t, n/2, low, 150, "%v", alpha)
		require.InDelta(t, 0.5, sum/n, 0.04, "%v", alpha)
	}
}

// partnerShare is the share of image i in mixup.
func partnerShare(a Augmentation, i int) float64 {
	_, share := a.partner(10, stream(1, 0, i))
	return share
}
