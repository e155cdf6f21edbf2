package graph_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
	"github.com/line-ood/goline/internal/cuda/emu"
)

// everyChoice is a model of the operations that choose, mix, normalise and pool. Their values and gradients are its
// outputs.
func everyChoice(t *testing.T) *model {
	must := must2(t)
	m := &model{shape: []int{2, 6}}
	r := newRand(31)
	m.param("norm.weight", graphtest.Normal(r, 6))
	m.param("norm.bias", graphtest.Normal(r, 6))
	m.param("slope", graphtest.Normal(r, 2, 1))
	group := []int{0, 1, 2, 3, 3, 3, graph.AlwaysPresent, 0, 2, 2, 1, 1}
	reshaped := func(n *G.Node, shape ...int) *G.Node { return must(graph.Reshape(n, shape...)) }
	m.build = func(b *graph.Builder, x *G.Node) error {
		batch := b.Batch()
		mask, row, bits := b.Input("mask", 4), b.Input("row"), b.BitInput("bits", 12)
		other := b.Input("other", 2, 6)
		one, many := b.SharedInput("removed", 1, 2, 6), b.SharedInput("rows", 3, 2, 6)
		scale, bias, slope := b.Param("norm.weight"), b.Param("norm.bias"), b.Param("slope")
		if b.Err() != nil {
			return b.Err()
		}
		// out makes outputs of y and of its gradients by the nodes wrt. A gradient with one element for all samples is
		// repeated for each of them.
		out := func(name string, y *G.Node, wrt ...*G.Node) {
			tap := func(name string, n *G.Node) {
				if n.Shape()[0] != batch {
					n = must(graph.Expand(n, append([]int{batch}, n.Shape()...)...))
				}
				b.Tap(name, n)
				m.outputs = append(m.outputs, name)
			}
			tap(name, y)
			if len(wrt) == 0 {
				return
			}
			seed := must(graph.Cos(y)) // gives every element another gradient
			for i, g := range must3(t)(graph.Gradients(G.Nodes{y}, G.Nodes{seed}, wrt)) {
				tap(fmt.Sprintf("%s'%d", name, i), g)
			}
		}
		m.outputs = nil
		positive := must(graph.Less(b.Do(func() (*G.Node, error) { return graph.Sub(x, x) }), x))
		out("dropout", must(graph.Dropout(x, must(graph.ArgMax(reshaped(x, 12))), 0.4, 1<<63+12345)), x)
		out("where", must(graph.Where(positive, x, slope)), x, slope)
		out("masks", must(graph.Xor(must(graph.And(positive, must(graph.Less(other, x)))),
			must(graph.Or(must(graph.Not(positive)), must(graph.Equal(x, other)))))))
		out("prelu", must(graph.PReLU(x, slope)), x)
		out("pow", must(graph.Pow(must(graph.Exp(x)), other)), x)
		out("maximum", must(graph.Maximum(x, other)), x, other)
		out("minimum", must(graph.Minimum(x, slope)), x, slope)
		out("take", must(graph.Take(x, 2, []int{5, -1, 0, 0, 3, 5, 1})), x)
		out("take rows", must(graph.Take(x, 1, []int{1, 1, 0})), x)
		out("mix", must(graph.Mix(mask, x, other, group)), mask, x, other)
		out("mix shared", must(graph.Mix(mask, x, one, group)), mask, x)
		out("mix rows", must(graph.MixRows(mask, x, many, row, group)), mask, x)
		out("bits", must(graph.MixBits(bits, x, other)))
		out("bits shared", must(graph.MixRowsBits(bits, one, many, row)))
		out("layer norm", must(graph.LayerNorm(x, scale, bias, -1, 1e-5)), x, scale, bias)
		out("rms norm", must(graph.RMSNorm(x, scale, -1, 1e-5)), x, scale)
		out("group norm", must(graph.GroupNorm(reshaped(x, 6, 2), 3, scale, bias, 1e-5)), x, scale, bias)
		line := graph.PoolNDConfig{Kernel: []int{3}, Stride: []int{2}, PadBegin: []int{1}, PadEnd: []int{1}}
		out("max pool", must(graph.MaxPoolND(x, line)), x)
		out("average pool", must(graph.AvgPoolND(x, line)), x)
		cube, solid := reshaped(x, 1, 3, 2, 2), graph.PoolNDConfig{Kernel: []int{2, 1, 2}, Stride: []int{1, 1, 1},
			PadEnd: []int{1, 0, 1}, CountIncludePad: true}
		out("max pool of volumes", must(graph.MaxPoolND(cube, solid)), x)
		out("average pool of volumes", must(graph.AvgPoolND(cube, solid)), x)
		return b.Err()
	}
	return m
}

func must3(t tester) func(G.Nodes, error) G.Nodes {
	return func(ns G.Nodes, err error) G.Nodes {
		t.Helper()
		require.NoError(t, err)
		return ns
	}
}

func choiceBatch(n int) graph.Batch {
	r := newRand(32)
	b := batchOf(graphtest.Normal(r, n, 2, 6))
	b.Inputs = map[string][]float32{
		"mask": make([]float32, 4*n), "row": make([]float32, n), "other": narrow(graphtest.Normal(r, n, 2, 6).Data),
		"removed": narrow(graphtest.Normal(r, 1, 2, 6).Data), "rows": narrow(graphtest.Normal(r, 3, 2, 6).Data),
	}
	b.Bits = map[string][]uint64{"bits": make([]uint64, n)}
	for i := range n {
		b.Inputs["row"][i] = float32(i % 3)
		b.Bits["bits"][i] = r.Uint64() & 0xfff
		for j := range 4 {
			b.Inputs["mask"][4*i+j] = []float32{0, 1, 0.25, 1}[(i+j)%4]
		}
	}
	copy(b.Inputs["other"], b.X[:3]) // ties
	return b
}

// TestChoicesOnACard compares the operations of everyChoice with the processor's, and checks that none of them runs on
// the processor.
func TestChoicesOnACard(t *testing.T) {
	emu.Use(t)
	const n = 5
	batch := choiceBatch(n)
	m := everyChoice(t)
	compile(t, m, graph.Options{Batch: n, Workers: 1, Fetch: []string{"take"}}) // also lists the outputs in m
	o := graph.Options{Batch: n, Workers: 1, Fetch: m.outputs}
	want := fetched(t, compile(t, m, o), stream(batch))
	o.Device, o.Profile = graph.CUDA, true
	p := compile(t, m, o)
	requireNear(t, want, fetched(t, p, stream(batch)), 1e-5)
	requireNear(t, want, fetched(t, p, stream(batch)), 1e-5)
	for _, k := range p.Profile() {
		require.Equal(t, graph.CUDA, k.Device, k.Name)
	}
	require.NoError(t, p.Close())
}

// TestCardReportsRowsThatDoNotExist: the card reports such a row as the processor does, and goes on with the next
// batch.
func TestCardReportsRowsThatDoNotExist(t *testing.T) {
	emu.Use(t)
	for name, value := range map[string]float32{"sample 2 of the batch: expected a row from 0 to 2, got 3": 3,
		"sample 2 of the batch: expected a row from 0 to 2, got 0.5": 0.5,
		"sample 2 of the batch: expected a row from 0 to 2, got -1":  -1} {
		for _, device := range []graph.Device{graph.CPU, graph.CUDA} {
			batch := choiceBatch(4)
			p := compile(t, everyChoice(t), graph.Options{Device: device, Batch: 4, Workers: 1,
				Fetch: []string{"mix rows"}})
			batch.Inputs["row"][2] = value
			require.ErrorContains(t, runAll(p, batch), name)
			batch.Inputs["row"][2] = 1
			require.NoError(t, runAll(p, batch))
			require.NoError(t, p.Close())
		}
	}
}

// TestDropoutOnACard: dropout drops the same elements as on the processor, for any seed, salt, rate and size.
func TestDropoutOnACard(t *testing.T) {
	emu.Use(t)
	rapid.Check(t, func(rt *rapid.T) {
		size, salt := rapid.IntRange(1, 70).Draw(rt, "size"), rapid.Uint64().Draw(rt, "salt")
		rate := rapid.Float64Range(0, 0.99).Draw(rt, "rate")
		labels := rapid.SliceOfN(rapid.IntRange(0, 1<<30), 1, 4).Draw(rt, "seeds")
		m := &model{shape: []int{size}, outputs: []string{"y"}, build: func(b *graph.Builder, x *G.Node) error {
			b.Tap("y", b.Do(func() (*G.Node, error) { return graph.Dropout(x, b.Labels(), rate, salt) }))
			return b.Err()
		}}
		batch := graph.Batch{N: len(labels), Labels: labels}
		for i := range size * len(labels) {
			batch.X = append(batch.X, float32(i+1))
		}
		want := fetched(rt, compile(rt, m, graph.Options{Workers: 1}), stream(batch))
		p := compile(rt, m, graph.Options{Workers: 1, Device: graph.CUDA, Batch: 3})
		require.Equal(rt, want, fetched(rt, p, stream(batch)))
		require.NoError(rt, p.Close())
	})
}

// TestCardCopies: the weights are uploaded once for all replicas. For each batch the inputs are uploaded, and the
// fetched values with the kernels' report are downloaded, each in one copy from or to pinned memory.
func TestCardCopies(t *testing.T) {
	card := emu.Use(t)
	card.Counts()
	net, batch := smallNet(8), samples(8, 6)
	batch.Labels = []int{0, 1, 2, 3, 0, 1}
	weights := 0
	for _, p := range net.Params() {
		weights += 4 * len(p.Float32s())
	}
	start := card.Used()
	require.NoError(t, compile(t, net, graph.Options{Device: graph.CUDA, Batch: 6, Workers: 1}).Close())
	one := card.Used()
	p := compile(t, net, graph.Options{Device: graph.CUDA, Batch: 6, Workers: 3,
		Fetch: []string{"logits", "label logit"}})
	three := card.Used()
	require.GreaterOrEqual(t, one.UploadedBytes-start.UploadedBytes, int64(weights)/2)
	require.Less(t, three.UploadedBytes-one.UploadedBytes, one.UploadedBytes-start.UploadedBytes+int64(weights)/2)
	for range 3 { // in the first runs each replica allocates room for what it fetches
		require.NoError(t, runAll(p, batch))
	}
	before := card.Used()
	require.NoError(t, runAll(p, batch))
	after := card.Used()
	require.Equal(t, before.Pageable, after.Pageable)
	require.Equal(t, int64(4*len(batch.X)+8*batch.N), after.UploadedBytes-before.UploadedBytes, "images and labels")
	require.Equal(t, int64(2), after.Uploads-before.Uploads)
	require.Equal(t, int64(3), after.Downloads-before.Downloads)
	require.NoError(t, p.Close())
}
