package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// batchMoments returns mean and biased variance of each channel of x [batch, channels, ...].
func batchMoments(x array) (mean, variance []float64) {
	n, c := x.shape[0], x.shape[1]
	hw := len(x.data) / n / c
	mean, variance = make([]float64, c), make([]float64, c)
	each := func(f func(ch int, v float64)) {
		for i, v := range x.data {
			f(i/hw%c, v)
		}
	}
	m := float64(n * hw)
	each(func(ch int, v float64) { mean[ch] += v / m })
	each(func(ch int, v float64) { variance[ch] += (v - mean[ch]) * (v - mean[ch]) / m })
	return mean, variance
}

func wantBatchNorm(in []input, eps float64, relu bool) array {
	x := in[0].array
	mean, variance := batchMoments(x)
	out := zeros(x.shape...)
	c := x.shape[1]
	hw := len(x.data) / x.shape[0] / c
	for i, v := range x.data {
		ch := i / hw % c
		y := in[1].data[ch]*(v-mean[ch])/math.Sqrt(variance[ch]+eps) + in[2].data[ch]
		if len(in) > 3 {
			y += in[3].data[i]
		}
		if relu {
			y = math.Max(y, 0)
		}
		out.data[i] = y
	}
	return out
}

func TestBatchNormTraining(t *testing.T) {
	const eps = 1e-2
	for _, shape := range [][]int{{3, 2, 4, 5}, {4, 3}, {1, 2, 3, 3}, {2, 1, 1, 1}} {
		for _, residual := range []bool{false, true} {
			for _, relu := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v residual=%v relu=%v", shape, residual, relu), func(t *testing.T) {
					r := newRand(uint64(len(shape)))
					in := []input{variable(spread(r, shape...)), variable(spread(r, shape[1])), variable(spread(r, shape[1]))}
					if residual {
						in = append(in, variable(spread(r, shape...)))
					}
					opTest{
						in: in, tol32: 2e-4,
						build: func(in G.Nodes) (*G.Node, error) {
							if !residual && !relu {
								return graph.BatchNorm(in[0], in[1], in[2], eps)
							}
							var shortcut *G.Node
							if residual {
								shortcut = in[3]
							}
							return graph.FusedBatchNorm(in[0], in[1], in[2], shortcut, relu, eps)
						},
						want: func(in []input) array { return wantBatchNorm(in, eps, relu) },
					}.check(t, 7)
				})
			}
		}
	}
}

func TestBatchNormMoments(t *testing.T) {
	x := normal(newRand(3), 3, 2, 4, 4)
	s := newSession(t, tensor.Float64, variable(x), variable(normal(newRand(1), 2)), variable(normal(newRand(2), 2)))
	y, err := graph.BatchNorm(s.in[0], s.in[1], s.in[2], 1e-5)
	require.NoError(t, err)
	m, err := graph.Moments(y)
	require.NoError(t, err)
	s.read(m)
	mean, variance := batchMoments(x)
	requireClose(t, append(mean, variance...), s.run()[0], 1e-12, "moments")
	_, err = graph.Moments(s.in[0])
	require.ErrorContains(t, err, "not a batch norm")
}

func TestBatchNormRefuses(t *testing.T) {
	s := newSession(t, tensor.Float64, variable(zeros(2, 3, 4, 4)), variable(zeros(3)), variable(zeros(2)))
	x, three, two := s.in[0], s.in[1], s.in[2]
	for _, c := range []struct {
		x, gamma, beta, residual *G.Node
		eps                      float64
		want                     string
	}{
		{nil, three, three, nil, 0, "input is nil"},
		{three, three, three, nil, 0, "at least 2 axes"},
		{x, two, three, nil, 0, "gamma"},
		{x, three, two, nil, 0, "beta"},
		{x, three, three, three, 0, "residual"},
		{x, three, three, nil, -1, "eps"},
		{x, three, three, nil, math.NaN(), "eps"},
	} {
		_, err := graph.FusedBatchNorm(c.x, c.gamma, c.beta, c.residual, false, c.eps)
		require.ErrorContains(t, err, c.want)
	}
}

func wantCrossEntropy(in []input) array {
	x, target := in[0].array, in[1].array
	n, k := x.shape[0], x.shape[1]
	out := zeros(n)
	for i := range n {
		var sum float64
		for j := range k {
			sum += math.Exp(x.data[i*k+j])
		}
		for j := range k {
			out.data[i] -= target.data[i*k+j] * (x.data[i*k+j] - math.Log(sum))
		}
	}
	return out
}

func TestCrossEntropy(t *testing.T) {
	r := newRand(5)
	targets := zeros(4, 3)
	copy(targets.data, []float64{0, 1, 0, 0.05, 0.05, 0.9, 0.25, 0, 0.75, 0, 0, 0}) // sharp, smoothed, mixed, without weight
	opTest{
		in:    []input{variable(normal(r, 4, 3)), constant(targets)},
		build: func(in G.Nodes) (*G.Node, error) { return graph.CrossEntropy(in[0], in[1]) },
		want:  wantCrossEntropy,
	}.check(t, 8)
}

func TestCrossEntropyOfExtremeLogits(t *testing.T) {
	x, target := zeros(3, 2), zeros(3, 2)
	copy(x.data, []float64{2000, -2000, math.Inf(-1), 0, math.NaN(), 1})
	copy(target.data, []float64{1, 0, 0, 1, 1, 0})
	s := newSession(t, tensor.Float32, variable(x), constant(target))
	y, err := graph.CrossEntropy(s.in[0], s.in[1])
	require.NoError(t, err)
	s.read(y, gradientOf(t, y, s.add(constant(array{[]int{3}, []float64{1, 1, 1}}), "ones"), s.in[0]))
	out := s.run()
	require.Equal(t, []float64{0, 0}, out[0][:2])
	require.True(t, math.IsNaN(out[0][2]), "a NaN must not disappear")
	require.Equal(t, []float64{0, 0, 0, 0}, out[1][:4])
	require.True(t, math.IsNaN(out[1][4]))
}

func TestDropout(t *testing.T) {
	const rate, n, size = 0.3, 5, 20001
	seeds := []int{1, 2, 3, 1, 5}
	x := zeros(n, size)
	for i := range x.data {
		x.data[i] = 1 + float64(i%7)
	}
	s := newSession(t, tensor.Float64, variable(x), classInput(seeds...))
	y, err := graph.Dropout(s.in[0], s.in[1], rate, 9)
	require.NoError(t, err)
	other, err := graph.Dropout(s.in[0], s.in[1], rate, 10)
	require.NoError(t, err)
	ones := zeros(n, size)
	for i := range ones.data {
		ones.data[i] = 1
	}
	dx := gradientOf(t, y, s.add(constant(ones), "ones"), s.in[0])
	s.read(y, dx, other)
	out := s.run()
	for i := range n {
		kept, agree := 0, 0
		for j := range size {
			v, g, w := out[0][i*size+j], out[1][i*size+j], x.data[i*size+j]
			if v != 0 && math.Abs(v-w/(1-rate)) > 1e-12*w || math.Abs(g-v/w) > 1e-12 {
				require.FailNow(t, "neither dropped nor scaled", "sample %d element %d: %v of %v, gradient %v", i, j, v, w, g)
			}
			if v != 0 {
				kept++
			}
			if (v != 0) == (out[2][i*size+j] != 0) {
				agree++
			}
		}
		sigma := math.Sqrt(rate * (1 - rate) / size)
		require.InDelta(t, 1-rate, float64(kept)/size, 5*sigma, "share of kept elements")
		both := rate*rate + (1-rate)*(1-rate)
		require.InDelta(t, both, float64(agree)/size, 5*math.Sqrt(both*(1-both)/size), "salts must be independent")
	}
	row := func(i int) []float64 {
		mask := make([]float64, size)
		for j := range mask {
			mask[j] = math.Min(out[0][i*size+j], 1)
		}
		return mask
	}
	require.Equal(t, row(0), row(3), "equal seeds drop alike, wherever in the batch")
	require.NotEqual(t, row(0), row(1))
	for _, bad := range []float64{-0.1, 1, math.NaN()} {
		_, err := graph.Dropout(s.in[0], s.in[1], bad, 0)
		require.ErrorContains(t, err, "rate")
	}
}
