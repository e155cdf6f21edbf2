package graph_test

import (
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// session is a graph with its inputs and a machine.
type session struct {
	t     tester
	g     *G.ExprGraph
	dtype tensor.Dtype
	in    G.Nodes
	reads []*G.Value
	vm    G.VM
}

func newSession(t tester, dtype tensor.Dtype, in ...input) *session {
	t.Helper()
	s := &session{t: t, g: G.NewGraph(), dtype: dtype}
	for i, x := range in {
		s.in = append(s.in, s.add(x, "in"+string(rune('a'+i))))
	}
	return s
}

// add adds an input node of the session's element type.
func (s *session) add(x input, name string) *G.Node {
	s.t.Helper()
	dtype, shape := s.dtype, x.shape
	if x.isClass() {
		dtype, shape = tensor.Int, []int{len(x.classes)}
	}
	n := G.NewTensor(s.g, dtype, len(shape), G.WithShape(shape...), G.WithName(name))
	if len(shape) > 0 {
		require.NoError(s.t, G.Let(n, tensor.New(tensor.Of(dtype), tensor.WithShape(shape...))))
	}
	s.set(n, x)
	return n
}

// set writes the input's elements where the node's are.
func (s *session) set(n *G.Node, x input) {
	if n.IsScalar() {
		v := any(x.data[0])
		if n.Dtype() == tensor.Float32 {
			v = float32(x.data[0])
		}
		require.NoError(s.t, G.Let(n, v))
		return
	}
	switch dst := n.Value().Data().(type) {
	case []float64:
		copy(dst, x.data)
	case []float32:
		for i, v := range x.data {
			dst[i] = float32(v)
		}
	case []int:
		copy(dst, x.classes)
	}
}

// read makes run return the node's value.
func (s *session) read(ns ...*G.Node) {
	for _, n := range ns {
		v := new(G.Value)
		G.Read(n, v)
		s.reads = append(s.reads, v)
	}
}

// tryRun runs the graph, with the given elements in its inputs unless there are none.
func (s *session) tryRun(in ...input) ([][]float64, error) {
	for i, x := range in {
		s.set(s.in[i], x)
	}
	if s.vm == nil {
		s.vm = G.NewTapeMachine(s.g)
	}
	defer s.vm.Reset()
	if err := s.vm.RunAll(); err != nil {
		return nil, err
	}
	out := make([][]float64, len(s.reads))
	for i, v := range s.reads {
		out[i] = floats(s.t, *v)
	}
	return out, nil
}

func (s *session) run(in ...input) [][]float64 {
	s.t.Helper()
	out, err := s.tryRun(in...)
	require.NoError(s.t, err)
	return out
}

// compileFor makes the session run and read nothing but what the given nodes need.
func (s *session) compileFor(ns ...*G.Node) {
	s.t.Helper()
	from := len(s.g.AllNodes())
	s.read(ns...)
	reads := s.g.AllNodes()[from:]
	var inputs G.Nodes
	for _, n := range s.g.ExactSubgraphRoots(reads...).AllNodes() {
		if n.Op() == nil {
			inputs = append(inputs, n)
		}
	}
	prog, locations, err := G.CompileFunction(s.g, inputs, reads)
	require.NoError(s.t, err)
	s.vm = G.NewTapeMachine(s.g, G.WithPrecompiled(prog, locations))
}
