package graph

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// residuals is a network of two inverted residuals, of which the second adds its input to its output, and of a
// depthwise and a pointwise convolution without expansion.
type residuals struct{ params []*Param }

var residualShapes = [][]int{{24, 8, 1, 1}, {24, 1, 5, 5}, {12, 24, 1, 1}, {30, 12, 1, 1}, {30, 1, 3, 3},
	{12, 30, 1, 1}, {12, 1, 3, 3}, {7, 12, 1, 1}}

func newResiduals() *residuals {
	m, rng := &residuals{}, rand.New(rand.NewPCG(1, 2))
	for i, shape := range residualShapes {
		v := make([]float32, tensor.Shape(shape).TotalSize())
		for j := range v {
			v[j] = float32(rng.NormFloat64()) * 0.3
		}
		m.params = append(m.params, &Param{Name: fmt.Sprint("w", i, ".weight"),
			Value: tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))})
	}
	return m
}

func (*residuals) InputShape() []int  { return []int{8, 19, 13} }
func (m *residuals) Params() []*Param { return m.params }
func (*residuals) Outputs() []string  { return []string{"out"} }

func (m *residuals) Build(b *Builder, x *G.Node) error {
	conv := func(x *G.Node, i, stride int) *G.Node {
		k := residualShapes[i]
		cfg := ConvConfig{Stride: [2]int{stride, stride}, Padding: [2]int{k[2] / 2, k[2] / 2}}
		if k[1] == 1 {
			cfg.Groups = k[0]
		}
		return b.Conv(x, fmt.Sprint("w", i), cfg)
	}
	act := func(x *G.Node) *G.Node { return b.Activate(x, ActReLU6()) }
	inner := b.Tap("inner", act(conv(x, 0, 1)))
	y := conv(act(conv(inner, 1, 2)), 2, 1)
	z := b.Add(conv(act(conv(act(conv(y, 3, 1)), 4, 1)), 5, 1), y)
	b.Tap("out", conv(act(conv(z, 6, 1)), 7, 1))
	return b.Err()
}

// hasChains reports whether the kernels in use run convolutions as chains.
func hasChains() bool { return kernel.Level() != "generic" && kernel.Level() != "neon" }

// TestChains: the convolutions of inverted residuals run as chains, those around a fetched node do not, and the results
// have the same bits in both cases, for any batch size.
func TestChains(t *testing.T) {
	m := newResiduals()
	const n = 7
	rng := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, n*8*19*13)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	run := func(batch int, fetch ...string) (out []float32, chains int) {
		p, err := Compile(m, Options{Batch: batch, Workers: 2, Fetch: fetch})
		require.NoError(t, err)
		for _, node := range p.replicas[0].order {
			if o, ok := node.Op().(*op); ok {
				if _, ok := o.fn.(*chainTail); ok {
					chains++
				}
			}
		}
		require.Len(t, p.Steps(), len(residualShapes), "steps are those of the network all the same")
		for range 2 {
			for o, err := range p.Run(context.Background(), func(yield func(Batch, error) bool) {
				yield(Batch{X: x, N: n}, nil)
			}) {
				require.NoError(t, err)
				out = append(out[:0], o.Float32("out")...)
			}
		}
		return out, chains
	}
	want, chains := run(n, "out", "inner")
	if hasChains() {
		require.Equal(t, 3, chains, "the first convolution is fetched, the other two of its block are a chain")
	}
	for _, batch := range []int{1, 2, 3, 8} {
		got, chains := run(batch, "out")
		require.Equal(t, want, got, "batch of %d", batch)
		if hasChains() {
			require.Equal(t, 3, chains)
		}
	}
}

// pooledPair is a depthwise and a pointwise convolution of the output of a pooling: a chain whose input has no other
// reader.
type pooledPair struct{ residuals }

func (m *pooledPair) Build(b *Builder, x *G.Node) error {
	y := b.MaxPool(x, PoolConfig{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}})
	y = b.Activate(b.Conv(y, "w0", ConvConfig{Stride: [2]int{1, 1}, Padding: [2]int{1, 1}, Groups: 16}), ActReLU6())
	b.Tap("out", b.Conv(y, "w1", ConvConfig{Stride: [2]int{1, 1}}))
	return b.Err()
}

func (*pooledPair) InputShape() []int { return []int{16, 40, 40} }

// TestChainKeepsItsInput: by the graph only the first convolution reads the chain's input. In fact the last one reads
// it while it writes its output, which must therefore lie in other memory.
func TestChainKeepsItsInput(t *testing.T) {
	m, rng := &pooledPair{}, rand.New(rand.NewPCG(5, 6))
	for i, shape := range [][]int{{16, 1, 3, 3}, {16, 16, 1, 1}} {
		v := make([]float32, tensor.Shape(shape).TotalSize())
		for j := range v {
			v[j] = float32(rng.NormFloat64())
		}
		m.params = append(m.params, &Param{Name: fmt.Sprint("w", i, ".weight"),
			Value: tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))})
	}
	p, err := Compile(m, Options{Batch: 2, Workers: 1, Fetch: []string{"out"}})
	require.NoError(t, err)
	chains := 0
	for _, node := range p.replicas[0].order {
		o, ok := node.Op().(*op)
		if !ok {
			continue
		}
		if tail, ok := o.fn.(*chainTail); ok {
			chains++
			first := children(children(node)[0])[0].Op().(*op)
			require.NotNil(t, first.slab)
			require.NotSame(t, first.slab, o.slab, "%s writes where it reads", tail.name)
		}
	}
	if hasChains() {
		require.Equal(t, 1, chains)
	}
}
