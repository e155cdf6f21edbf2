package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets"
)

func TestSteps(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 1)
	p, err := graph.Compile(net, graph.Options{Batch: 2, Workers: 1, Fetch: []string{nets.Logits, nets.Prediction}})
	require.NoError(t, err)
	steps := p.Steps()
	require.Equal(t, steps, p.Steps(), "it describes and changes nothing")

	made, flops := map[*graph.Operand]bool{}, 0
	kinds := map[string]int{}
	for _, s := range steps {
		for _, in := range s.Inputs {
			if in.Input || in.Value != nil {
				require.NotEmpty(t, in.Name)
				continue
			}
			require.True(t, made[in], "%s reads what comes later", s.Label)
		}
		require.False(t, made[s.Output])
		made[s.Output] = true
		flops += s.FLOPs
		kinds[s.Kind]++
	}
	require.Equal(t, p.FLOPs(), flops)
	require.Equal(t, 1+3*2+2, kinds["Conv2D"])
	require.Equal(t, 1, kinds["Linear"])

	first := steps[0]
	require.Equal(t, "Conv2D", first.Kind)
	require.True(t, first.Inputs[0].Input)
	require.Equal(t, []int{2, 3, 32, 32}, first.Inputs[0].Shape)
	require.Equal(t, "conv1.weight", first.Inputs[1].Name)
	require.Equal(t, "conv1.weight", first.Inputs[1].Param.Name)
	require.Equal(t, [2]int{1, 1}, first.Attributes.(graph.ConvStep).Config.Padding)

	last := steps[len(steps)-1]
	require.Equal(t, "ArgMax", last.Kind)
	require.Equal(t, nets.Prediction, last.Output.Name)
	require.Equal(t, nets.Logits, last.Inputs[0].Name)
	require.Equal(t, nets.Features, steps[len(steps)-2].Inputs[0].Name)
}

func TestActivationBytes(t *testing.T) {
	net, err := nets.New("resnet-cifar-8-4", 3)
	require.NoError(t, err)
	bytes := func(o graph.Options) int {
		o.Workers = 1
		p, err := graph.Compile(net, o)
		require.NoError(t, err)
		before := p.ActivationBytes()
		run(t, p, nettest.Batch(o.Batch, net.InputShape(), 0, 1))
		require.Equal(t, before, p.ActivationBytes(), "a run changes nothing")
		return before
	}
	one := bytes(graph.Options{Batch: 1})
	// The network's largest maps are [4 32 32]. A block needs its input, its inner map and its result at once, and the
	// machine needs a fourth map.
	require.GreaterOrEqual(t, one, 3*4*32*32*4)
	require.LessOrEqual(t, one, 6*4*32*32*4)
	require.Equal(t, 5*one, bytes(graph.Options{Batch: 5}))
	require.Equal(t, 2*one, bytes(graph.Options{Batch: 1, Dtype: tensor.Float64}))
}

func run(t *testing.T, p *graph.Program, batch graph.Batch) {
	t.Helper()
	for _, err := range p.Run(t.Context(), nettest.Stream(batch)) {
		require.NoError(t, err)
	}
}
