package graphtest

import (
	"errors"
	"os"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// DeviceVariable names the environment variable that holds the [graph.Device] on which sessions of float32 run, so that
// tests of operations also test what that device runs for them. Where it is not set, sessions run on the processor.
const DeviceVariable = "GOLINE_TEST_DEVICE"

// Session is a graph with its inputs and a tape machine. Any failure fails its test.
type Session struct {
	Graph *G.ExprGraph // the graph that the inputs belong to
	In    G.Nodes      // the inputs that the session was made with

	t      T
	dtype  tensor.Dtype
	device graph.Device
	inputs []Input
	reads  []*G.Value
	vm     G.VM
}

// NewSession returns a session with the given inputs, in elements of the given type.
func NewSession(t T, dtype tensor.Dtype, in ...Input) *Session {
	t.Helper()
	s := &Session{t: t, Graph: G.NewGraph(), dtype: dtype, device: deviceOf(dtype), inputs: in}
	for i, x := range in {
		s.In = append(s.In, s.Add(x, "in"+string(rune('a'+i))))
	}
	return s
}

// deviceOf returns the device that sessions of the given element type run on.
func deviceOf(dtype tensor.Dtype) graph.Device {
	if dtype != tensor.Float32 {
		return graph.CPU
	}
	return graph.Device(os.Getenv(DeviceVariable))
}

// Add adds another input node of the session's element type; classes are int.
func (s *Session) Add(x Input, name string) *G.Node {
	s.t.Helper()
	dtype, shape := s.dtype, x.Shape
	if x.isClass() {
		dtype, shape = tensor.Int, []int{len(x.Classes)}
	}
	n := G.NewTensor(s.Graph, dtype, len(shape), G.WithShape(shape...), G.WithName(name))
	if len(shape) > 0 {
		s.let(n, tensor.New(tensor.Of(dtype), tensor.WithShape(shape...)))
	}
	s.set(n, x)
	return n
}

func (s *Session) let(n *G.Node, v any) {
	s.t.Helper()
	if err := G.Let(n, v); err != nil {
		s.t.Fatalf("%s: %v", n.Name(), err)
	}
}

// set copies the input's elements into the node's memory.
func (s *Session) set(n *G.Node, x Input) {
	s.t.Helper()
	if n.IsScalar() {
		v := any(x.Data[0])
		if n.Dtype() == tensor.Float32 {
			v = float32(x.Data[0])
		}
		s.let(n, v)
		return
	}
	switch dst := n.Value().Data().(type) {
	case []float64:
		copy(dst, x.Data)
	case []float32:
		for i, v := range x.Data {
			dst[i] = float32(v)
		}
	case []int:
		copy(dst, x.Classes)
	}
}

// floats returns copies of the elements of all inputs but classes.
func (s *Session) floats() (out [][]float64) {
	s.t.Helper()
	for i, x := range s.inputs {
		if !x.isClass() {
			out = append(out, Floats(s.t, s.In[i].Value()))
		}
	}
	return out
}

// Read makes Run return the values of the nodes, behind those asked for before. It must be called before the first run.
func (s *Session) Read(ns ...*G.Node) {
	for _, n := range ns {
		v := new(G.Value)
		G.Read(n, v)
		s.reads = append(s.reads, v)
	}
}

// TryRun runs the graph, after copying the elements of in into the first inputs, and returns copies of the values read.
func (s *Session) TryRun(in ...Input) ([][]float64, error) {
	s.t.Helper()
	for i, x := range in {
		s.set(s.In[i], x)
	}
	if s.vm == nil {
		s.vm = G.NewTapeMachine(s.Graph)
	}
	defer s.vm.Reset()
	if err := s.run(); err != nil {
		return nil, err
	}
	out := make([][]float64, len(s.reads))
	for i, v := range s.reads {
		out[i] = Floats(s.t, *v)
	}
	return out, nil
}

// run runs the machine once, on the session's device.
func (s *Session) run() error {
	placed, err := graph.Place(s.Graph, s.device)
	if err != nil {
		return err
	}
	err = placed.Run(s.vm)
	return errors.Join(err, placed.Close())
}

// Run is [Session.TryRun], but an error fails the test.
func (s *Session) Run(in ...Input) [][]float64 {
	s.t.Helper()
	out, err := s.TryRun(in...)
	if err != nil {
		s.t.Fatalf("run: %v", err)
	}
	return out
}

// CompileFor makes the session run and read only what the given nodes need.
func (s *Session) CompileFor(ns ...*G.Node) {
	s.t.Helper()
	from := len(s.Graph.AllNodes())
	s.Read(ns...)
	reads := s.Graph.AllNodes()[from:]
	var inputs G.Nodes
	for _, n := range s.Graph.ExactSubgraphRoots(reads...).AllNodes() {
		if n.Op() == nil {
			inputs = append(inputs, n)
		}
	}
	prog, locations, err := G.CompileFunction(s.Graph, inputs, reads)
	if err != nil {
		s.t.Fatalf("compile: %v", err)
	}
	s.vm = G.NewTapeMachine(s.Graph, G.WithPrecompiled(prog, locations))
}
