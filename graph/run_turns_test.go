package graph

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// turnStepKind is a layer of a turnNet.
type turnStepKind struct {
	kernel, in, residual int // residual is -1 for none, and for a value of another size
	times                int // channels of a convolution's output, in those of the network's input
	relu, pool, depth    bool
	copy                 bool // a copy, which is no part of a stretch
	dense                int  // layers of a dense block, each of which appends as many channels as the input has
}

// turnNet is a network of convolutions, poolings, copies and dense blocks of maps of one height and width, each of
// which reads one of the values before it and may add another.
type turnNet struct {
	layers   []turnStepKind
	channels int
	params   []*Param
	fetch    []string
	gradient bool // also "gradient", of half the square of the last value with respect to the input
}

func newTurnNet(layers []turnStepKind, channels int) *turnNet {
	m, rng := &turnNet{layers: slices.Clone(layers), channels: channels}, rand.New(rand.NewPCG(7, 8))
	times := []int{1}
	param := func(name string, shape ...int) {
		v := make([]float32, tensor.Shape(shape).TotalSize())
		for j := range v {
			v[j] = float32(rng.NormFloat64()) / float32(channels*shape[2])
		}
		m.params = append(m.params, &Param{Name: name + ".weight",
			Value: tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))})
	}
	for i, l := range layers {
		if l.dense > 0 {
			for j := range l.dense {
				param(fmt.Sprint("c", i, ".", j, ".in"), 2*channels, channels*(times[l.in]+j), 1, 1)
				param(fmt.Sprint("c", i, ".", j, ".out"), channels, 2*channels, l.kernel, l.kernel)
			}
			times = append(times, times[l.in]+l.dense)
			continue
		}
		if l.pool || l.copy {
			times = append(times, times[l.in])
			continue
		}
		if l.depth {
			m.layers[i].times, l.times = times[l.in], times[l.in]
		}
		times = append(times, max(1, l.times))
		if l.residual >= 0 && times[l.residual] != times[i+1] {
			m.layers[i].residual = -1
		}
		in := channels * times[l.in]
		if l.depth {
			in = 1
		}
		param(fmt.Sprint("c", i), channels*times[i+1], in, l.kernel, l.kernel)
	}
	m.fetch = []string{fmt.Sprint(len(layers))}
	return m
}

func (m *turnNet) InputShape() []int { return []int{m.channels, 9, 11} }
func (m *turnNet) Params() []*Param  { return m.params }
func (m *turnNet) Outputs() []string { return m.fetch }

func (m *turnNet) Build(b *Builder, x *G.Node) error {
	values := G.Nodes{x}
	for i, l := range m.layers {
		y := values[l.in]
		switch {
		case l.dense > 0:
			y = b.DenseBlock(y, y.Shape()[1]+l.dense*m.channels, l.dense, func(j int, x *G.Node) *G.Node {
				name := fmt.Sprint("c", i, ".", j)
				x = b.Activate(b.Conv(x, name+".in", ConvConfig{}), ActReLU())
				return b.Conv(x, name+".out", ConvConfig{Padding: [2]int{l.kernel / 2, l.kernel / 2}})
			})
		case l.copy:
			y = b.Do(func() (*G.Node, error) { return Copy(y) })
		case l.pool:
			y = b.MaxPool(y, PoolConfig{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}})
		default:
			c := ConvConfig{Padding: [2]int{l.kernel / 2, l.kernel / 2}}
			if l.depth {
				c.Groups = m.channels * l.times
			}
			y = b.Conv(y, fmt.Sprint("c", i), c)
			if l.residual >= 0 {
				y = b.Add(y, values[l.residual])
			}
			if l.relu {
				y = b.Activate(y, ActReLU())
			}
		}
		values = append(values, b.Tap(fmt.Sprint(i+1), y))
	}
	if y := values[len(values)-1]; m.gradient && b.Err() == nil {
		gs, err := Gradients(G.Nodes{y}, G.Nodes{y}, G.Nodes{x})
		if err != nil {
			return err
		}
		b.Tap("gradient", gs[0])
	}
	return b.Err()
}

// run returns what a program fetches from n samples, and its stretches.
func (m *turnNet) run(t require.TestingT, x []float32, n int, o Options) (map[string][]float32, []*turns) {
	o.Fetch = m.fetch
	p, err := Compile(m, o)
	require.NoError(t, err)
	var found []*turns
	for _, node := range p.replicas[0].order {
		if o, ok := node.Op().(*op); ok && o.turns != nil && !slices.Contains(found, o.turns) {
			found = append(found, o.turns)
		}
	}
	out := map[string][]float32{}
	for range 2 {
		for o, err := range p.Run(context.Background(), func(yield func(Batch, error) bool) {
			yield(Batch{X: x, N: n}, nil)
		}) {
			require.NoError(t, err)
			for _, name := range m.fetch {
				out[name] = slices.Clone(o.Float32(name))
			}
		}
	}
	return out, found
}

const never = math.MaxInt // more elements than any map has

// TestTurnsKeepTheBits compares random networks whose samples take turns, at one thread and at two, with the same
// networks without turns. A value that lay where another one of the stretch or of the rest is still read would differ.
func TestTurnsKeepTheBits(t *testing.T) {
	some := 0
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(rt, name) }
		layers := make([]turnStepKind, draw("layers", 2, 9))
		for i := range layers {
			back := func(name string) int { return max(0, i-draw(name, 0, 2)) }
			layers[i] = turnStepKind{kernel: 1 + 2*draw("kernel", 0, 1), in: back("input"), residual: -1,
				times: draw("times", 1, 2), relu: rapid.Bool().Draw(rt, "ReLU"), pool: draw("pool", 0, 4) == 0,
				copy: draw("copy", 0, 7) == 0}
			if layers[i].depth = draw("depthwise", 0, 2) == 0; layers[i].depth {
				layers[i].kernel = 3
			}
			if draw("dense", 0, 5) == 0 {
				layers[i].dense = draw("dense layers", 1, 3)
				continue
			}
			if rapid.Bool().Draw(rt, "adds") {
				layers[i].residual = back("residual")
			}
		}
		m := newTurnNet(layers, draw("channels", 1, 8))
		for range draw("fetched", 0, 1) {
			if name := fmt.Sprint(draw("fetch", 1, len(layers))); !slices.Contains(m.fetch, name) {
				m.fetch = append(m.fetch, name)
			}
		}
		if m.gradient = rapid.Bool().Draw(rt, "gradient"); m.gradient {
			m.fetch = append(m.fetch, "gradient")
		}
		batch, n := draw("batch", 2, 4), draw("samples", 1, 7)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		x := make([]float32, n*tensor.Shape(m.InputShape()).TotalSize())
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		want, none := m.run(rt, x, n, Options{Batch: batch, Workers: 1, turnsLeast: never})
		require.Empty(rt, none)
		for threads := 1; threads <= 2; threads++ {
			got, found := m.run(rt, x, n, Options{Batch: batch, Workers: 1, Threads: threads, turnsLeast: 1})
			require.Equal(rt, want, got, "%+v", layers)
			some += len(found)
		}
	})
	require.NotZero(t, some)
}

// TestTurnsOfBlocks: two residual blocks are one stretch but for a layer whose value is fetched; values within the
// stretch take the memory of one sample, and operations of one sample or of small maps take no turns.
func TestTurnsOfBlocks(t *testing.T) {
	const channels, n = 4, 3
	m := newTurnNet([]turnStepKind{
		{kernel: 3, in: 0, residual: -1, relu: true},
		{kernel: 1, in: 1, residual: -1, relu: true}, {kernel: 3, in: 2, residual: -1, relu: true},
		{kernel: 1, in: 3, residual: 1, relu: true},
		{kernel: 1, in: 4, residual: -1, relu: true}, {kernel: 3, in: 5, residual: -1, relu: true},
		{kernel: 1, in: 6, residual: 4, relu: true},
		{pool: true, in: 7, residual: -1},
	}, channels)
	x, rng := make([]float32, n*channels*9*11), rand.New(rand.NewPCG(9, 10))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	names := func(found []*turns) (all [][]string) {
		for _, s := range found {
			var one []string
			for _, step := range s.steps {
				one = append(one, step.op.name)
			}
			all = append(all, one)
		}
		return all
	}
	first, second := "Conv2D→ReLU", "Conv2D→Add→ReLU"
	_, found := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: 1})
	require.Equal(t, [][]string{{first, first, first, second, first, first, second, "MaxPool2D"}}, names(found))
	for _, s := range found[0].steps[:7] {
		require.Equal(t, channels*9*11, s.op.size())
	}
	require.Equal(t, n*channels*9*11, found[0].steps[7].op.size())

	m.fetch = []string{"8", "5"}
	want, _ := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: never})
	got, found := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: 1})
	require.Equal(t, [][]string{{first, first, first, second}, {first, second, "MaxPool2D"}}, names(found))
	require.Equal(t, want, got, "the second stretch reads the value of the first for every sample")
	_, found = m.run(t, x, n, Options{Batch: 1, Workers: 1, turnsLeast: 1})
	require.Empty(t, found, "a sample alone")
	_, found = m.run(t, x, n, Options{Batch: n, Workers: 1})
	require.Empty(t, found, "small maps")
}

// TestTurnsOfDenseBlocks: the layers of a dense block are stretches, each of which ends with the convolution that
// writes a part of the block.
func TestTurnsOfDenseBlocks(t *testing.T) {
	const n = 3
	m := newTurnNet([]turnStepKind{{kernel: 1, residual: -1}, {kernel: 3, in: 1, dense: 2}}, 3)
	x, rng := make([]float32, n*3*9*11), rand.New(rand.NewPCG(9, 10))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	want, _ := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: never})
	got, found := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: 1})
	require.Equal(t, want, got)
	require.Len(t, found, 2)
	for _, s := range found {
		require.Len(t, s.steps, 2)
		require.Equal(t, 6*9*11, s.steps[0].op.size())
	}
}

// TestTurnsKeepWhatTheyRead: the last operation of a stretch reads, for every sample, what by the graph only the first
// one reads. No operation of the stretch may write there.
func TestTurnsKeepWhatTheyRead(t *testing.T) {
	const n = 3
	m := newTurnNet([]turnStepKind{{copy: true}, {kernel: 1, in: 1, residual: -1},
		{kernel: 1, in: 2, residual: -1, times: 3},
		{kernel: 1, in: 3, residual: -1}}, 4)
	x, rng := make([]float32, n*4*9*11), rand.New(rand.NewPCG(9, 10))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	want, _ := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: never})
	got, found := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: 1})
	require.Len(t, found, 1)
	require.Len(t, found[0].steps, 3)
	require.Equal(t, want, got)
}

// TestTurnsOfChains: a stretch has all of a chain of convolutions or nothing, whose last one reads what the first one
// does: at the start of a stretch, and where another layer lies between.
func TestTurnsOfChains(t *testing.T) {
	for _, layers := range [][]turnStepKind{
		{{copy: true}, {copy: true, in: 1}, {kernel: 3, in: 2, residual: -1, depth: true},
			{kernel: 1, in: 3, residual: -1}, {pool: true, in: 4, residual: -1}},
		{{copy: true}, {kernel: 1, in: 1, residual: -1, times: 2}, {kernel: 3, in: 2, residual: -1, depth: true},
			{copy: true, in: 2}, {pool: true, in: 4, residual: -1}, {kernel: 1, in: 3, residual: 5, times: 2}},
		{{kernel: 1, residual: -1, times: 2}, {kernel: 3, in: 1, residual: -1, depth: true},
			{kernel: 1, in: 2, residual: -1}, {kernel: 1, in: 3, residual: -1, times: 2},
			{kernel: 3, in: 4, residual: -1, depth: true}, {kernel: 1, in: 5, residual: 3}},
	} {
		const n = 3
		m := newTurnNet(layers, 1)
		x, rng := make([]float32, n*9*11), rand.New(rand.NewPCG(9, 10))
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		want, _ := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: never})
		got, found := m.run(t, x, n, Options{Batch: n, Workers: 1, turnsLeast: 1})
		require.Equal(t, want, got)
		if !layers[0].copy {
			require.Len(t, found, 1)
			require.Len(t, found[0].steps, len(layers), "a stretch may begin with a chain")
		}
	}
}
