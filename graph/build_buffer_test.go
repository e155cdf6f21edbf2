package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

func TestBufferIsDeclaredAndThere(t *testing.T) {
	build := func(b *graph.Builder, x *G.Node) error {
		b.Buffer("index", 3)
		b.Tap("y", x)
		return b.Err()
	}
	specs, err := graph.Declare([]int{2}, build)
	require.NoError(t, err)
	require.Equal(t, []graph.ParamSpec{{Name: "index", Shape: []int{3}, Buffer: true}}, specs)
	for _, c := range []struct {
		params []*graph.Param
		want   string
	}{
		{[]*graph.Param{specs[0].NewParam()}, ""},
		{nil, `no buffer "index" of shape [3]`},
		{[]*graph.Param{graph.NewParam("index", 4)}, `no buffer "index" of shape [3]`},
	} {
		_, err := graph.Compile(buffered{c.params, build}, graph.Options{})
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
	}
}

// buffered is a model with the given parameters.
type buffered struct {
	params []*graph.Param
	build  func(b *graph.Builder, x *G.Node) error
}

func (m buffered) InputShape() []int                       { return []int{2} }
func (m buffered) Params() []*graph.Param                  { return m.params }
func (m buffered) Outputs() []string                       { return []string{"y"} }
func (m buffered) Build(b *graph.Builder, x *G.Node) error { return m.build(b, x) }
