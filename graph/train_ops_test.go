package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// batchMoments returns mean and biased variance of each channel of x [batch, channels, ...].
func batchMoments(x graphtest.Array) (mean, variance []float64) {
	n, c := x.Shape[0], x.Shape[1]
	hw := len(x.Data) / n / c
	mean, variance = make([]float64, c), make([]float64, c)
	each := func(f func(ch int, v float64)) {
		for i, v := range x.Data {
			f(i/hw%c, v)
		}
	}
	m := float64(n * hw)
	each(func(ch int, v float64) { mean[ch] += v / m })
	each(func(ch int, v float64) { variance[ch] += (v - mean[ch]) * (v - mean[ch]) / m })
	return mean, variance
}

func wantBatchNorm(in []graphtest.Input, eps float64, relu bool) graphtest.Array {
	x := in[0].Array
	mean, variance := batchMoments(x)
	out := graphtest.Zeros(x.Shape...)
	c := x.Shape[1]
	hw := len(x.Data) / x.Shape[0] / c
	for i, v := range x.Data {
		ch := i / hw % c
		y := in[1].Data[ch]*(v-mean[ch])/math.Sqrt(variance[ch]+eps) + in[2].Data[ch]
		if len(in) > 3 {
			y += in[3].Data[i]
		}
		if relu {
			y = math.Max(y, 0)
		}
		out.Data[i] = y
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
					in := []graphtest.Input{graphtest.Variable(graphtest.Spread(r, shape...)),
						graphtest.Variable(graphtest.Spread(r, shape[1])),
						graphtest.Variable(graphtest.Spread(r, shape[1]))}
					if residual {
						in = append(in, graphtest.Variable(graphtest.Spread(r, shape...)))
					}
					graphtest.Op{
						In: in, Tolerance32: 2e-4,
						Build: func(in G.Nodes) (*G.Node, error) {
							if !residual && !relu {
								return graph.BatchNorm(in[0], in[1], in[2], eps)
							}
							var shortcut *G.Node
							if residual {
								shortcut = in[3]
							}
							return graph.FusedBatchNorm(in[0], in[1], in[2], shortcut, relu, eps)
						},
						Want: func(in []graphtest.Input) graphtest.Array { return wantBatchNorm(in, eps, relu) },
					}.Check(t, 7)
				})
			}
		}
	}
}

func TestBatchNormMoments(t *testing.T) {
	x := graphtest.Normal(newRand(3), 3, 2, 4, 4)
	s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(x),
		graphtest.Variable(graphtest.Normal(newRand(1), 2)), graphtest.Variable(graphtest.Normal(newRand(2), 2)))
	y, err := graph.BatchNorm(s.In[0], s.In[1], s.In[2], 1e-5)
	require.NoError(t, err)
	m, err := graph.Moments(y)
	require.NoError(t, err)
	s.Read(m)
	mean, variance := batchMoments(x)
	graphtest.RequireClose(t, append(mean, variance...), s.Run()[0], 1e-12, "moments")
	_, err = graph.Moments(s.In[0])
	require.ErrorContains(t, err, "not a batch norm")
}

func TestBatchNormRefuses(t *testing.T) {
	s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(graphtest.Zeros(2, 3, 4, 4)),
		graphtest.Variable(graphtest.Zeros(3)), graphtest.Variable(graphtest.Zeros(2)))
	x, three, two := s.In[0], s.In[1], s.In[2]
	for _, c := range []struct {
		x, gamma, beta, residual *G.Node
		eps                      float64
		want                     string
	}{
		{nil, three, three, nil, 0, "expected an input, got nil"},
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

func wantCrossEntropy(in []graphtest.Input) graphtest.Array {
	x, target := in[0].Array, in[1].Array
	n, k := x.Shape[0], x.Shape[1]
	out := graphtest.Zeros(n)
	for i := range n {
		var sum float64
		for j := range k {
			sum += math.Exp(x.Data[i*k+j])
		}
		for j := range k {
			out.Data[i] -= target.Data[i*k+j] * (x.Data[i*k+j] - math.Log(sum))
		}
	}
	return out
}

func TestCrossEntropy(t *testing.T) {
	r := newRand(5)
	targets := graphtest.Zeros(4, 3)
	// one-hot, smoothed, mixed, and without any weight
	copy(targets.Data, []float64{0, 1, 0, 0.05, 0.05, 0.9, 0.25, 0, 0.75, 0, 0, 0})
	graphtest.Op{
		In: []graphtest.Input{graphtest.Variable(graphtest.Normal(r, 4, 3)).Batched(),
			graphtest.Constant(targets).Batched()},
		Build: func(in G.Nodes) (*G.Node, error) { return graph.CrossEntropy(in[0], in[1]) },
		Want:  wantCrossEntropy,
	}.Check(t, 8)
}

func TestCrossEntropyOfExtremeLogits(t *testing.T) {
	x, target := graphtest.Zeros(3, 2), graphtest.Zeros(3, 2)
	copy(x.Data, []float64{2000, -2000, math.Inf(-1), 0, math.NaN(), 1})
	copy(target.Data, []float64{1, 0, 0, 1, 1, 0})
	s := graphtest.NewSession(t, tensor.Float32, graphtest.Variable(x), graphtest.Constant(target))
	y, err := graph.CrossEntropy(s.In[0], s.In[1])
	require.NoError(t, err)
	s.Read(y, gradientOf(t, y, s.Add(graphtest.Constant(graphtest.NewArray([]int{3}, []float64{1, 1, 1})), "ones"),
		s.In[0]))
	out := s.Run()
	require.Equal(t, []float64{0, 0}, out[0][:2])
	require.True(t, math.IsNaN(out[0][2]), "a NaN must not disappear")
	require.Equal(t, []float64{0, 0, 0, 0}, out[1][:4])
	require.True(t, math.IsNaN(out[1][4]))
}

func TestDropout(t *testing.T) {
	const rate, n, size = 0.3, 5, 20001
	seeds := []int{1, 2, 3, 1, 5}
	x := graphtest.Zeros(n, size)
	for i := range x.Data {
		x.Data[i] = 1 + float64(i%7)
	}
	s := graphtest.NewSession(t, tensor.Float64, graphtest.Variable(x), graphtest.ClassInput(seeds...))
	y, err := graph.Dropout(s.In[0], s.In[1], rate, 9)
	require.NoError(t, err)
	other, err := graph.Dropout(s.In[0], s.In[1], rate, 10)
	require.NoError(t, err)
	ones := graphtest.Zeros(n, size)
	for i := range ones.Data {
		ones.Data[i] = 1
	}
	dx := gradientOf(t, y, s.Add(graphtest.Constant(ones), "ones"), s.In[0])
	s.Read(y, dx, other)
	out := s.Run()
	for i := range n {
		kept, agree := 0, 0
		for j := range size {
			v, g, w := out[0][i*size+j], out[1][i*size+j], x.Data[i*size+j]
			if v != 0 && math.Abs(v-w/(1-rate)) > 1e-12*w || math.Abs(g-v/w) > 1e-12 {
				require.FailNow(t, "neither dropped nor scaled", "sample %d element %d: %v of %v, gradient %v", i, j, v,
					w, g)
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
		_, err := graph.Dropout(s.In[0], s.In[1], bad, 0)
		require.ErrorContains(t, err, "rate")
	}
}
