package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// TestTrainingTogether compares a program whose operations share their work, convolutions with batch norms and with
// sums of gradients, with one whose operations do not: the bits are the same.
func TestTrainingTogether(t *testing.T) {
	var want [][]float32
	for _, apart := range []bool{true, false} {
		m := newSmallResidual()
		o := graph.TrainingOptions{Batch: 10, Shard: 5, Workers: 2}
		if apart {
			o = graph.Apart(o)
		}
		p := compileTraining(t, m, o)
		var got [][]float32
		for step := range uint64(2) {
			runTraining(t, p, m.batch(10, step))
			for _, g := range p.Gradients() {
				got = append(got, append([]float32(nil), g...))
			}
		}
		for _, q := range m.params {
			got = append(got, q.Float32s())
		}
		if apart {
			want = got
		}
		require.Equal(t, want, got)
	}
}

// TestGradientsOverwrite checks which gradients are written over others: not those of the two batch norms behind a sum,
// which read the same one.
func TestGradientsOverwrite(t *testing.T) {
	p := compileTraining(t, newSmallResidual(), graph.TrainingOptions{Batch: 4})
	norm, relu := "BatchNorm'x", "ReLU'"
	require.Equal(t, []string{norm, norm, relu, relu}, p.Overwritten())
}

// smallResidual has a residual block with a strided shortcut: two convolutions' gradients meet at one input.
type smallResidual struct{ params []*graph.Param }

func newSmallResidual() *smallResidual {
	m := &smallResidual{}
	r := newRand(12)
	add := func(name string, shape ...int) *graph.Param {
		q := graph.NewParam(name, shape...)
		for i := range q.Float32s() {
			q.Float32s()[i] = float32(0.3 * r.NormFloat64())
		}
		m.params = append(m.params, q)
		return q
	}
	norm := func(name string, channels int) {
		for _, part := range []string{"weight", "bias", "running_mean", "running_var"} {
			q := add(name+"."+part, channels)
			q.Buffer = part[0] == 'r'
			for i := range q.Float32s() {
				q.Float32s()[i] += 1
			}
		}
	}
	add("stem.weight", 12, 3, 3, 3)
	norm("norm0", 12)
	add("conv1.weight", 16, 12, 3, 3)
	norm("norm1", 16)
	add("conv2.weight", 16, 16, 3, 3)
	norm("norm2", 16)
	add("shortcut.weight", 16, 12, 1, 1)
	norm("norm3", 16)
	add("conv4.weight", 16, 16, 3, 3)
	norm("norm4", 16)
	add("fc.weight", 3, 16)
	add("fc.bias", 3)
	return m
}

func (m *smallResidual) InputShape() []int      { return []int{3, 32, 32} }
func (m *smallResidual) Params() []*graph.Param { return m.params }
func (m *smallResidual) Outputs() []string      { return []string{"logits"} }

func (m *smallResidual) Build(b *graph.Builder, x *G.Node) error {
	same, half := graph.ConvConfig{Padding: [2]int{1, 1}}, graph.ConvConfig{Stride: [2]int{2, 2}}
	both := graph.ConvConfig{Padding: [2]int{1, 1}, Stride: [2]int{2, 2}}
	x = b.ReLU(b.BatchNorm(b.Conv(x, "stem", same), "norm0", 1e-3))
	y := b.ReLU(b.BatchNorm(b.Conv(x, "conv1", both), "norm1", 1e-3))
	y = b.BatchNorm(b.Conv(y, "conv2", same), "norm2", 1e-3)
	x = b.ReLU(b.Add(y, b.BatchNorm(b.Conv(x, "shortcut", half), "norm3", 1e-3)))
	x = b.ReLU(b.Add(b.BatchNorm(b.Conv(x, "conv4", same), "norm4", 1e-3), x))
	b.Tap("logits", b.Linear(b.GlobalAvgPool(x), "fc"))
	return b.Err()
}

func (m *smallResidual) batch(n int, seed uint64) graph.TrainingBatch {
	r := newRand(seed)
	b := graph.TrainingBatch{X: make([]float32, n*3*32*32), Targets: make([]float32, n*3)}
	for i := range b.X {
		b.X[i] = float32(r.NormFloat64())
	}
	for i := range n {
		b.Targets[i*3+i%3] = 1
	}
	return b
}
