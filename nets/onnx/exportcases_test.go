package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/peertest"
)

// zeroed is a case as a model that can be exported. The inputs of the case become constants, to each of which the sum
// of the model's input (all zeros) is added, and its outputs are repeated for each sample.
type zeroed struct {
	caseModel
	given map[*value][]float32
	kept  []int // indices of the outputs that are numbers
	own   []*graph.Param
}

func (m *zeroed) Params() []*graph.Param {
	if m.own == nil {
		m.own = m.params()
	}
	return m.own
}

func (m *zeroed) Outputs() []string {
	var names []string
	for _, i := range m.kept {
		names = append(names, fmt.Sprintf("output %d", i))
	}
	return names
}

func (m *zeroed) Build(b *graph.Builder, x *G.Node) error {
	sum := b.Do(func() (*G.Node, error) { return graph.ReduceSum(x, false) })
	e := &emitter{named: m.names, b: b, n: 1, p: m.program, nodes: map[*value]*G.Node{}}
	for v, name := range m.inputs {
		c := b.Constant(name, func() []float64 {
			out := make([]float64, len(m.given[v]))
			for i, f := range m.given[v] {
				out[i] = float64(f)
			}
			return out
		}, nodeShape(v.shape)...)
		e.nodes[v] = b.Do(func() (*G.Node, error) { return graph.Add(c, sum) })
	}
	if err := e.run(); err != nil {
		return err
	}
	for i, v := range m.program.results {
		node := e.node(v)
		if node == nil {
			return errors.Join(fmt.Errorf("output %d has no node", i), b.Err())
		}
		if node.Dtype() == tensor.Int {
			continue
		}
		b.Tap(fmt.Sprintf("output %d", i), b.Do(func() (*G.Node, error) {
			node, err := graph.ReshapeAll(node, append([]int{1}, nodeShape(v.shape)...)...)
			if err != nil {
				return nil, err
			}
			return graph.Expand(node, append([]int{x.Shape()[0]}, nodeShape(v.shape)...)...)
		}))
	}
	return b.Err()
}

// exportable returns the case as a model, nil if its inputs or outputs are not numbers.
func (c nodeCase) exportable() (*zeroed, error) {
	f, err := decode(c.model, external{})
	if err != nil {
		return nil, err
	}
	m := &zeroed{caseModel: caseModel{inputs: map[*value]string{}}, given: map[*value][]float32{}}
	s := &scope{values: map[string]*value{}}
	for i, in := range f.graph.inputs {
		k, err := decodeTensor(c.inputs[i])
		if err != nil {
			return nil, err
		}
		v := &value{name: in.name, elem: k.elem, shape: k.shape}
		if k.elem.isFloat() && k.len() > 0 {
			m.inputs[v], m.given[v] = fmt.Sprintf("input %d", i), k.float32s()
		} else {
			v.c, v.static = k, true
		}
		s.values[in.name] = v
	}
	t := &tracer{f: f, n: probe, work: foldWork}
	values, err := t.graph(f.graph, s)
	if err != nil || len(t.refused) > 0 {
		return nil, errors.Join(err, errors.New("unsupported"))
	}
	var results []*value
	for _, v := range values {
		if v.c == nil {
			results = append(results, v)
		}
	}
	if len(results) == 0 || len(m.inputs) == 0 {
		return nil, errors.New("constant")
	}
	m.program = newProgram(t.insts, results)
	m.names = m.program.name()
	for i, v := range m.program.results {
		if by(v, "MaxPoolIndex") == nil {
			m.kept = append(m.kept, i)
		}
	}
	return m, nil
}

// TestExportedCases: cases of ONNX's backend test suite that goline can import give goline's results in ONNX Runtime
// after they are exported again.
func TestExportedCases(t *testing.T) {
	python := peertest.Python(t, "numpy", "onnx", "onnxruntime")
	var runs []*nettest.ONNXRun
	var names []string
	var want []map[string][]float32
	var cases []nodeCase
	for _, path := range casePaths(t) {
		cases = append(cases, readCases(t, path)...)
	}
	for _, c := range cases {
		m, err := c.exportable()
		if err != nil {
			continue
		}
		batch := graph.Batch{N: 3, X: make([]float32, 3)}
		p, err := graph.Compile(m, graph.Options{Batch: 3, Workers: 1, Fetch: nil})
		if err != nil {
			t.Logf("%s: %v", c.name, err)
			continue
		}
		w := map[string][]float32{}
		for o, err := range p.Run(t.Context(), nettest.Stream(batch)) {
			require.NoError(t, err)
			for _, name := range m.Outputs() {
				w[name] = append(w[name], o.Float32(name)...)
			}
		}
		var data bytes.Buffer
		if err := Export(&data, m, ExportOptions{}); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		names, want = append(names, c.name), append(want, w)
		runs = append(runs, &nettest.ONNXRun{File: data.Bytes(), Input: []int{1}, Batch: batch})
	}
	nettest.RunONNX(t, python, 3, runs...)
	for i, r := range runs {
		if r.Err != nil {
			t.Errorf("%s: %v", names[i], r.Err)
			continue
		}
		for name, w := range want[i] {
			a, err := r.Outputs.Get(name)
			require.NoError(t, err)
			got, err := a.AsFloat64()
			require.NoError(t, err)
			require.Len(t, got, len(w), names[i])
			for j, v := range w {
				v, g := float64(v), got[j]
				if !(math.Abs(v-g) <= 1e-5+1e-4*math.Abs(v)) && !(v != v && g != g) && v != g {
					t.Errorf("%s: %s, element %d: got %v, expected %v", names[i], name, j, g, v)
					break
				}
			}
		}
	}
	t.Logf("%d cases", len(runs))
}
