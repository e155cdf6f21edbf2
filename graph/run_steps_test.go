package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
