package graph_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// These are the sizes of the pipeline, LINe on a small network: conv → affine+ReLU → max pool → conv → ReLU → mean = z
// [batch, 12], clip → class by the full head → class mask → routed head [batch, 5] → log-sum-exp.
const (
	pipeFeatures = 12
	pipeClasses  = 5
)

// pipelineInputs are image, conv1, scale, shift, conv2, limit, weight, bias, mask table, contribution, threshold.
func pipelineInputs(seed uint64) []graphtest.Input {
	r := newRand(seed)
	positive := func(a graphtest.Array) graphtest.Array {
		return graphtest.Map(a.Shape, func(i []int) float64 { return math.Abs(a.At(i...)) })
	}
	mask := graphtest.Map([]int{pipeClasses, pipeFeatures}, func([]int) float64 { return float64(r.IntN(2)) })
	limit := graphtest.Map([]int{pipeFeatures}, func([]int) float64 { return float64(float32(1.1 + 0.3*r.Float64())) })
	return []graphtest.Input{
		graphtest.Variable(graphtest.Normal(r, 4, 3, 7, 7)).Batched(),
		graphtest.Variable(graphtest.Normal(r, 6, 3, 3, 3)), graphtest.Variable(graphtest.Normal(r, 6)),
		graphtest.Variable(graphtest.Normal(r, 6)),
		graphtest.Variable(graphtest.Map([]int{pipeFeatures, 6, 2, 2},
			func([]int) float64 { return float64(float32(r.NormFloat64() * 0.15)) })),
		graphtest.Constant(limit), graphtest.Constant(graphtest.Normal(r, pipeClasses, pipeFeatures)),
		graphtest.Constant(graphtest.Normal(r, pipeClasses)), graphtest.Constant(mask),
		graphtest.Constant(positive(graphtest.Normal(r, pipeClasses, pipeFeatures))),
		graphtest.Constant(graphtest.Normal(r, pipeClasses)),
	}
}

// backboneRef returns the features, and the numbers by which ReLUs and the pool decide.
func backboneRef(in []graphtest.Input) (z graphtest.Array, kinks []float64) {
	pre := affineRef(convRef(in[0].Array, in[1].Array, nil, graph.ConvConfig{}), in[2].Data, in[3].Data, false)
	post := graphtest.Map(pre.Shape, func(i []int) float64 { return reluRef(pre.At(i...)) })
	pooled := poolRef(post, graph.PoolConfig{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}}, false)
	y := convRef(pooled, in[4].Array, nil, graph.ConvConfig{})
	z = graphtest.Map([]int{y.Shape[0], y.Shape[1]}, func(i []int) float64 {
		sum := 0.0
		graphtest.Each(y.Shape[2:], func(j []int) { sum += reluRef(y.At(i[0], i[1], j[0], j[1])) })
		return sum / float64(y.Shape[2]*y.Shape[3])
	})
	return z, append(pre.Data, y.Data...)
}

// decisions tells how often the clip and the masks take effect, and how near any decision behind the features comes to
// being different.
type decisions struct {
	clipped, masked, dropped float64
	nearest                  float64
}

func tailRef(z graphtest.Array, in []graphtest.Input) (score graphtest.Array, d decisions) {
	limit, weight, mask, contribution, threshold := in[5], in[6], in[8], in[9], in[10]
	clip := graphtest.Map(z.Shape, func(i []int) float64 { return min(z.At(i...), limit.Data[i[1]]) })
	full := linearRef(clip, weight.Array, in[7].Data)
	table := routedTable(weight.Array, contribution.Array, threshold.Array)
	d.nearest = math.Inf(1)
	near := func(v float64) { d.nearest = min(d.nearest, math.Abs(v)) }
	share := 1 / float64(len(z.Data))
	logits := graphtest.Zeros(z.Shape[0], pipeClasses)
	for n := range z.Shape[0] {
		row := full.Data[n*pipeClasses:][:pipeClasses]
		class := argMaxRef(row)
		sorted := slices.Sorted(slices.Values(row))
		near(sorted[pipeClasses-1] - sorted[pipeClasses-2])
		for f := range pipeFeatures {
			if near(z.At(n, f) - limit.Data[f]); z.At(n, f) > limit.Data[f] {
				d.clipped += share
			}
			if mask.At(class, f) == 0 {
				d.masked += share
			}
			for j := range pipeClasses {
				keep := table.At(class, j, f)
				d.dropped += (1 - keep) * share / pipeClasses
				logits.Data[n*pipeClasses+j] += clip.At(n, f) * mask.At(class, f) * weight.At(j, f) * keep
			}
		}
		for j := range pipeClasses {
			logits.Data[n*pipeClasses+j] += in[7].Data[j]
		}
	}
	return lseRef(logits), d
}

// pipeline adds the nodes of features and score.
func pipeline(t tester, in G.Nodes) (z, score *G.Node) {
	m := must2(t)
	y := m(graph.ReLU(m(graph.Affine(m(graph.Conv2D(in[0], in[1], nil, graph.ConvConfig{})), in[2], in[3]))))
	y = m(graph.MaxPool2D(y, graph.PoolConfig{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}}))
	y = m(graph.ReLU(m(graph.Conv2D(y, in[4], nil, graph.ConvConfig{}))))
	z = m(graph.GlobalAvgPool2D(y))
	clipped := m(graph.Clip(z, in[5]))
	class := m(graph.ArgMax(m(graph.Linear(clipped, in[6], in[7]))))
	masked := m(graph.ClassMask(clipped, class, in[8]))
	logits := m(graph.RoutedLinear(masked, class, graph.RoutedHead{Weight: in[6], Bias: in[7], Contribution: in[9],
		Threshold: in[10]}))
	return z, m(graph.LogSumExp(logits))
}

// TestPipelineGradients checks the gradients of the score by the image, the features and the parameters before them,
// where clip and masks take effect on some of the neurons and not on others.
func TestPipelineGradients(t *testing.T) {
	in := pipelineInputs(7)
	z, kinks := backboneRef(in)
	_, d := tailRef(z, in)
	t.Logf("%+v", d)
	for name, share := range map[string]float64{"clipped": d.clipped, "masked": d.masked,
		"dropped weights": d.dropped} {
		require.Greater(t, share, 0.1, name)
		require.Less(t, share, 0.9, name)
	}
	require.Greater(t, d.nearest, 1e-3, "a decision would change under the perturbations")
	for _, v := range kinks {
		require.Greater(t, math.Abs(v), 1e-4, "a ReLU would switch under the perturbations")
	}

	o := graphtest.Op{
		In: in,
		Build: func(in G.Nodes) (*G.Node, error) {
			_, score := pipeline(t, in)
			return score, nil
		},
		Want: func(in []graphtest.Input) graphtest.Array {
			z, _ := backboneRef(in)
			score, _ := tailRef(z, in)
			return score
		},
	}
	o.Check(t, 1)

	cotangent := graphtest.Normal(newRand(3), 4)
	s := graphtest.NewSession(t, tensor.Float64, in...)
	features, score := pipeline(t, s.In)
	s.Read(features, gradientOf(t, score, s.Add(graphtest.Constant(cotangent), "cotangent"), features))
	got := s.Run()
	graphtest.RequireClose(t, z.Data, got[0], 1e-12, "features")
	byFeatures := graphtest.Op{In: []graphtest.Input{graphtest.Variable(z)},
		Want: func(x []graphtest.Input) graphtest.Array {
			score, _ := tailRef(x[0].Array, in)
			return score
		}}
	byFeatures.CheckGradients(t, cotangent, got[1:], newRand(4))
	zero := 0
	for _, g := range got[1] {
		if g == 0 {
			zero++
		}
	}
	require.Greater(t, zero, 4, "clipped or masked neurons have no gradient")
	require.Less(t, zero, 44)
}
