package graph

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func vector(g *G.ExprGraph, name string, data ...float64) *G.Node {
	return G.NewTensor(g, tensor.Float64, 1, G.WithShape(len(data)), G.WithName(name),
		G.WithValue(tensor.New(tensor.WithShape(len(data)), tensor.WithBacking(data))))
}

// times returns the operation x ↦ factor·x under the given name.
func times(t *testing.T, name string, x *G.Node, factor float64) *G.Node {
	t.Helper()
	n, err := floatOp(name, x.Shape(), []*G.Node{x}, nil, nil, nil, func(c *call[float64]) error {
		for i, v := range c.in[0].data {
			c.out.data[i] = factor * v
		}
		return nil
	})
	require.NoError(t, err)
	return n
}

func requireDistinct(t *testing.T, g *G.ExprGraph) {
	t.Helper()
	seen := map[uint32]*G.Node{}
	ids := map[uint32]*G.Node{}
	for _, n := range g.AllNodes() {
		if twin := seen[n.Hashcode()]; twin != nil {
			t.Fatalf("%v and %v have the same hash", twin, n)
		}
		seen[n.Hashcode()] = n
		if o, ok := n.Op().(*op); ok {
			require.Equal(t, o.nodeHash(), n.Hashcode(), "%v: predicted hash", n)
			require.Same(t, n, o.node)
			require.Nil(t, ids[o.id], "id %d", o.id)
			ids[o.id] = n
		}
	}
}

// TestOperationsHashApart: nodes of the same operations, built many times with failures, gradients and removed nodes in
// between, hash differently.
func TestOperationsHashApart(t *testing.T) {
	g := G.NewGraph()
	x, seed := vector(g, "x", 1, 2, 3), vector(g, "seed", 1, 1, 1)
	y := x
	for i := range 60 {
		for range 2 {
			n, err := ReLU(x)
			require.NoError(t, err)
			y, err = Mul(y, n)
			require.NoError(t, err)
		}
		_, err := Add(x, y.Graph().AllNodes()[0])
		require.NoError(t, err)
		_, err = Flatten(nil)
		require.Error(t, err)
		_, err = Channels(x, 0, 1)
		require.Error(t, err)
		G.Must(G.Tanh(y))
		if i%20 == 0 {
			_, err = Gradients(G.Nodes{y}, G.Nodes{seed}, G.Nodes{x})
			require.NoError(t, err)
		}
		_, err = Gradients(G.Nodes{x}, G.Nodes{seed}, G.Nodes{y})
		require.Error(t, err)
	}
	requireDistinct(t, g)
	last := g.AllNodes()[len(g.AllNodes())-1]
	g.RemoveNode(last) // the number of nodes falls, and ids start from that number
	require.NotSame(t, last, times(t, "times", x, 2))
	require.NotSame(t, times(t, "times", x, 2), times(t, "times", x, 3))
	requireDistinct(t, g)
}

// TestHashCollision finds names for two operations whose nodes would hash alike, which Gorgonia would take for one.
func TestHashCollision(t *testing.T) {
	g := G.NewGraph()
	x := vector(g, "x", 1, 2)
	hash := func(name string, id uint32) uint32 {
		o := &op{name: name, id: id, dtype: tensor.Float64, shape: tensor.Shape{2}, in: G.Nodes{x}}
		return o.nodeHash()
	}
	first := map[uint32]string{}
	var a, b string
	for i := 0; b == ""; i++ {
		name := fmt.Sprintf("operation %x", i*i+i)
		first[hash(name, 1)] = name
		if twin, ok := first[hash(name, 2)]; ok && twin != name {
			a, b = twin, name
		}
	}
	two, three := times(t, a, x, 2), times(t, b, x, 3)
	require.NotEqual(t, two.Hashcode(), three.Hashcode(), "%q and %q", a, b)
	requireDistinct(t, g)
	var v, w G.Value
	G.Read(two, &v)
	G.Read(three, &w)
	require.NoError(t, G.NewTapeMachine(g).RunAll())
	require.Equal(t, []float64{2, 4}, v.Data())
	require.Equal(t, []float64{3, 6}, w.Data())
}

// TestStockHashCollision: compiling fails where a foreign operation hashes like another one.
func TestStockHashCollision(t *testing.T) {
	g := G.NewGraph()
	x := vector(g, "x", 1, 2)
	n := times(t, "times", x, 2)
	twin := &op{name: "times", id: n.Op().(*op).id, dtype: tensor.Float64, shape: tensor.Shape{2}, in: G.Nodes{x}}
	other := G.NewUniqueNode(G.WithType(n.Type()), G.WithOp(foreign{twin}), G.WithChildren(G.Nodes{x}), G.In(g),
		G.WithShape(2))
	require.NotSame(t, n, other)
	require.Equal(t, n.Hashcode(), other.Hashcode())
	r := &replica{b: &Builder{g: g}, order: G.Nodes{x, n, other}}
	require.ErrorContains(t, r.compile(Options{}, G.Nodes{n, other}),
		"have the same hash, so Gorgonia would merge them")
}

// foreign is an operation whose Hashcode is not that of its hash, so that Gorgonia adds it as a node of its own.
type foreign struct{ *op }

func (foreign) Hashcode() uint32 { return 12345 }

// TestOutputsKeepTheirForm: what stock operations change in the shape of an output is undone before the next run.
func TestOutputsKeepTheirForm(t *testing.T) {
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float64, G.WithShape(2, 2), G.WithName("x"))
	y, err := ReLU(x)
	require.NoError(t, err)
	in := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{1, 2, 3, 4}))
	for _, meddle := range []func(d *tensor.Dense) error{
		func(d *tensor.Dense) error { return nil },
		func(d *tensor.Dense) error { return d.Reshape(4) },
		func(d *tensor.Dense) error { return d.Reshape(1, 4, 1) },
		func(d *tensor.Dense) error { return d.T() },
		func(d *tensor.Dense) error { d.Zero(); return nil },
	} {
		v, err := y.Op().Do(in)
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{2, 2}, v.Shape())
		require.False(t, v.(*tensor.Dense).RequiresIterator())
		require.Equal(t, []float64{1, 2, 3, 4}, v.Data())
		require.NoError(t, meddle(v.(*tensor.Dense)))
	}
}
