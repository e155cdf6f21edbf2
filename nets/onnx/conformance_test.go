package onnx

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	pb "github.com/advancedclimatesystems/gonnx/onnx"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/sharedtest"
)

// nodeCase is a case of ONNX's backend test suite: a model with inputs and expected outputs.
type nodeCase struct {
	name            string
	model           []byte
	inputs, outputs map[int][]byte
}

// readCases reads the cases of a zip archive.
func readCases(t testing.TB, path string) []nodeCase {
	t.Helper()
	z, err := zip.OpenReader(path)
	require.NoError(t, err)
	defer z.Close()
	cases := map[string]*nodeCase{}
	for _, f := range z.File {
		dir, base := filepath.Split(filepath.ToSlash(f.Name))
		if f.FileInfo().IsDir() || !strings.HasSuffix(base, ".onnx") && !strings.HasSuffix(base, ".pb") {
			continue
		}
		r, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		name, _, _ := strings.Cut(strings.TrimSuffix(dir, "/"), "/test_data_set")
		c := cases[name]
		if c == nil {
			c = &nodeCase{name: name, inputs: map[int][]byte{}, outputs: map[int][]byte{}}
			cases[name] = c
		}
		var i int
		switch {
		case base == "model.onnx":
			c.model = data
		case scan(base, "input_%d.pb", &i):
			c.inputs[i] = data
		case scan(base, "output_%d.pb", &i):
			c.outputs[i] = data
		}
	}
	var out []nodeCase
	for _, c := range cases {
		out = append(out, *c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

func scan(s, format string, i *int) bool {
	n, err := fmt.Sscanf(s, format, i)
	return n == 1 && err == nil
}

func decodeTensor(raw []byte) (*constant, error) {
	p := &pb.TensorProto{}
	if err := proto.Unmarshal(raw, p); err != nil {
		return nil, err
	}
	return (&decoder{}).tensor(p)
}

// caseModel is the graph of a case as a model. Its inputs are shared inputs, and its outputs get a further first axis.
type caseModel struct {
	program *program
	names   *named
	inputs  map[*value]string
}

func (m *caseModel) InputShape() []int      { return []int{1} }
func (m *caseModel) Params() []*graph.Param { return m.params() }
func (m *caseModel) Outputs() []string {
	var names []string
	for i := range m.program.results {
		names = append(names, fmt.Sprintf("output %d", i))
	}
	return names
}

func (m *caseModel) params() []*graph.Param {
	n := &Network{program: m.program, names: m.names}
	if err := n.allocate(); err != nil {
		panic(err)
	}
	return n.params
}

func (m *caseModel) Build(b *graph.Builder, x *G.Node) error {
	e := &emitter{named: m.names, b: b, n: 1, p: m.program, nodes: map[*value]*G.Node{}}
	for v, name := range m.inputs {
		e.nodes[v] = b.SharedInput(name, nodeShape(v.shape)...)
	}
	if err := e.run(); err != nil {
		return err
	}
	for i, v := range m.program.results {
		node := e.node(v)
		if node == nil {
			return errors.Join(fmt.Errorf("output %d has no node", i), b.Err())
		}
		if node.Dtype() != tensor.Int {
			node = b.Do(func() (*G.Node, error) {
				return graph.ReshapeAll(node, append([]int{1}, nodeShape(v.shape)...)...)
			})
		}
		b.Tap(m.Outputs()[i], node)
	}
	return b.Err()
}

// run computes the outputs of a case.
func (c nodeCase) run() (out []*constant, err error) {
	f, err := decode(c.model, external{})
	if err != nil {
		return nil, err
	}
	m := &caseModel{inputs: map[*value]string{}}
	s := &scope{values: map[string]*value{}}
	batch := graph.Batch{N: 1, X: []float32{0}, Inputs: map[string][]float32{}}
	for i, in := range f.graph.inputs {
		k, err := decodeTensor(c.inputs[i])
		if err != nil {
			return nil, unsupportedf("input %d: %v", i, err)
		}
		v := &value{name: in.name, elem: k.elem, shape: k.shape}
		if k.elem.isFloat() && k.len() > 0 {
			name := fmt.Sprintf("input %d", i)
			m.inputs[v], batch.Inputs[name] = name, k.float32s()
		} else {
			v.c, v.static = k, true
		}
		s.values[in.name] = v
	}
	t := &tracer{f: f, n: probe, work: foldWork + 4*f.elements}
	values, err := t.graph(f.graph, s)
	if err != nil {
		return nil, err
	}
	if len(t.refused) > 0 {
		return nil, &UnsupportedError{t.refused}
	}
	results := slices.DeleteFunc(slices.Clone(values), func(v *value) bool { return v.c != nil })
	m.program = newProgram(t.insts, slices.Clone(results))
	m.names = m.program.name()
	got := map[*value]*constant{}
	if len(results) > 0 {
		p, err := graph.Compile(m, graph.Options{Batch: 1, Workers: 1})
		if err != nil {
			return nil, err
		}
		for o, err := range p.Run(context.Background(), nettest.Stream(batch)) {
			if err != nil {
				return nil, err
			}
			for i, v := range m.program.results {
				k := newConstant(elemFloat64, v.shape...)
				name := m.Outputs()[i]
				if by(v, "MaxPoolIndex") != nil {
					for j, x := range o.Ints(name) {
						k.f64[j] = float64(x)
					}
				} else {
					for j, x := range o.Float32(name) {
						k.f64[j] = float64(x)
					}
				}
				got[results[i]] = k
			}
		}
	}
	for _, v := range values {
		if v.c != nil {
			out = append(out, v.c)
		} else {
			out = append(out, got[v])
		}
	}
	return out, nil
}

// check compares outputs with the expected ones, with ONNX's tolerance.
func (c nodeCase) check(out []*constant) error {
	for i, raw := range c.outputs {
		want, err := decodeTensor(raw)
		if err != nil {
			return unsupportedf("output %d: %v", i, err)
		}
		if i >= len(out) || out[i] == nil {
			return fmt.Errorf("output %d is missing", i)
		}
		got := out[i]
		if !slices.Equal(got.shape, want.shape) {
			return fmt.Errorf("output %d has shape %v, expected %v", i, got.shape, want.shape)
		}
		for j := range want.len() {
			a, b := got.at(j), want.at(j)
			if a == b || a != a && b != b {
				continue
			}
			if !(math.Abs(a-b) <= 1e-7+1e-3*math.Abs(b)) {
				return fmt.Errorf("output %d, element %d of %v: got %v, expected %v", i, j, want.shape, a, b)
			}
		}
	}
	return nil
}

// casePaths returns the archives of cases.
func casePaths(t testing.TB) []string {
	paths := filepath.SplitList(os.Getenv("GOLINE_ONNX_CASES"))
	if len(paths) == 0 {
		paths = []string{sharedtest.Path(t, "onnx", "node_cases.zip")}
	}
	return paths
}

// TestConformance runs cases of ONNX's own backend suite.
func TestConformance(t *testing.T) {
	passed, failed, unknown, total := 0, 0, 0, 0
	for _, path := range casePaths(t) {
		for _, c := range readCases(t, path) {
			total++
			out, err := c.run()
			if err == nil {
				err = c.check(out)
			}
			var list *UnsupportedError
			var u unsupported
			switch {
			case err == nil:
				passed++
			case errors.As(err, &list) || errors.As(err, &u):
				unknown++
				t.Logf("unsupported %s: %s", c.name, strings.ReplaceAll(err.Error(), "\n", " "))
			default:
				failed++
				t.Logf("failed %s: %s", c.name, strings.ReplaceAll(err.Error(), "\n", " "))
			}
		}
	}
	fmt.Printf("%d passed, %d failed, %d unsupported\n", passed, failed, unknown)
	require.Positive(t, total)
	require.GreaterOrEqual(t, float64(passed), 0.97*float64(total), "of %d cases", total)
}
