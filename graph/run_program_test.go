package graph_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// smallNet is a network that uses everything a program can do: a dense block, fused layers, taps, lazy nodes, labels
// and a further input. Images are [3, side, side].
func smallNet(side int) *model {
	const classes, growth = 4, 3
	m := &model{shape: []int{3, side, side}, outputs: []string{"features", "logits"}}
	r := newRand(20)
	m.param("conv1.weight", graphtest.Normal(r, 5, 3, 3, 3))
	for i := range 2 {
		newNorm(m, r, fmt.Sprintf("block.%d.norm", i), 5+i*growth)
		m.param(fmt.Sprintf("block.%d.conv.weight", i), graphtest.Normal(r, growth, 5+i*growth, 3, 3))
	}
	newNorm(m, r, "norm", 5+2*growth)
	features := 5 + 2*growth
	m.param("fc.weight", graphtest.Normal(r, classes, features))
	m.param("fc.bias", graphtest.Normal(r, classes))
	m.build = func(b *graph.Builder, x *G.Node) error {
		pad := graph.ConvConfig{Padding: [2]int{1, 1}}
		y := b.Conv(x, "conv1", pad)
		y = b.DenseBlock(y, features, 2, func(i int, y *G.Node) *G.Node {
			name := fmt.Sprintf("block.%d", i)
			return b.Conv(b.ReLU(b.BatchNorm(y, name+".norm", normEps)), name+".conv", pad)
		})
		y = b.Tap("block", y)
		z := b.Tap("features", b.GlobalAvgPool(b.AvgPool(b.ReLU(b.BatchNorm(y, "norm", normEps)),
			graph.PoolConfig{Kernel: [2]int{2, 2}})))
		l := b.Tap("logits", b.Linear(z, "fc"))
		prediction := b.Tap("prediction", b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
		b.TapOnDemand("scaled", func() (*G.Node, error) { return graph.Mul(z, b.Input("scale", features)) })
		b.TapOnDemand("class", func() (*G.Node, error) { return graph.SelectClass(b.Labels(), prediction) })
		b.TapOnDemand("label logit", func() (*G.Node, error) { return graph.Gather(l, b.Labels()) })
		b.TapOnDemand("contribution", func() (*G.Node, error) {
			class, err := b.Node("class")
			if err != nil {
				return nil, err
			}
			return graph.GradientTimesActivation(z, l, class, b.Ones())
		})
		b.TapOnDemand("image gradient", func() (*G.Node, error) {
			lse, err := graph.LogSumExp(l)
			if err != nil {
				return nil, err
			}
			gs, err := graph.Gradients(G.Nodes{lse}, G.Nodes{b.Ones()}, G.Nodes{x})
			if err != nil {
				return nil, err
			}
			return gs[0], nil
		})
		return b.Err()
	}
	return m
}

var everything = []string{"features", "logits", "prediction", "scaled", "class", "contribution", "image gradient"}

// samples returns n samples for smallNet with labels, some of them unknown.
func samples(side, n int) graph.Batch {
	b := batchOf(graphtest.Normal(newRand(30), n, 3, side, side))
	for i := range n {
		b.Labels = append(b.Labels, i%5-1)
	}
	b.Inputs = map[string][]float32{"scale": narrow(graphtest.Normal(newRand(31), n, 11).Data)}
	return b
}

// pick returns some samples of a batch.
func pick(b graph.Batch, which ...int) graph.Batch {
	out := graph.Batch{N: len(which)}
	rows := func(x []float32, i int) []float32 { return x[i*len(x)/b.N : (i+1)*len(x)/b.N] }
	for _, i := range which {
		out.X = append(out.X, rows(b.X, i)...)
		if b.Labels != nil {
			out.Labels = append(out.Labels, b.Labels[i])
		}
	}
	for name, x := range b.Inputs {
		if out.Inputs == nil {
			out.Inputs = map[string][]float32{}
		}
		for _, i := range which {
			out.Inputs[name] = append(out.Inputs[name], rows(x, i)...)
		}
	}
	return out
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// requireSameRows fails unless the rows of got are those of want in the given order, bit by bit.
func requireSameRows(t tester, want, got map[string][]float64, n int, order []int, what string) {
	t.Helper()
	require.Len(t, got, len(want))
	for name, w := range want {
		row := len(w) / n
		var expected []float64
		for _, i := range order {
			expected = append(expected, w[i*row:][:row]...)
		}
		graphtest.RequireSameBits(t, [][]float64{expected}, [][]float64{got[name]}, what+": "+name)
	}
}

// TestSameBitsHoweverTheSamplesArrive: the bits do not depend on batch size, replicas, the order of the samples, or how
// the samples are divided into batches.
func TestSameBitsHoweverTheSamplesArrive(t *testing.T) {
	const n = 7
	all := samples(6, n)
	reversed := upTo(n)
	slices.Reverse(reversed)
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		var want map[string][]float64
		for batch := 1; batch <= 9; batch++ {
			for replicas := 1; replicas <= 4; replicas++ {
				if dtype == tensor.Float64 && replicas > 2 {
					continue
				}
				p := compile(t, smallNet(6), graph.Options{Batch: batch, Workers: replicas, Fetch: everything,
					Dtype: dtype})
				if want == nil {
					want = fetched(t, p, stream(all))
				}
				for _, s := range []struct {
					order []int
					split []int
				}{
					{upTo(n), []int{7}},
					{upTo(n), []int{1, 6}},
					{upTo(n), []int{2, 2, 2, 1}},
					{reversed, []int{3, 4}},
					{[]int{5, 2, 2, 6}, []int{4}},
				} {
					var batches []graph.Batch
					for at, i := 0, 0; i < len(s.split); i++ {
						batches = append(batches, pick(all, s.order[at:at+s.split[i]]...))
						at += s.split[i]
					}
					what := fmt.Sprintf("%v, batch %d, %d replicas, samples %v in %v", dtype, batch, replicas, s.order,
						s.split)
					requireSameRows(t, want, fetched(t, p, stream(batches...)), n, s.order, what)
				}
			}
		}
	}
}

// TestStartAtATap feeds a tapped node with the values that it had in another run.
func TestStartAtATap(t *testing.T) {
	all := samples(6, 5)
	names := []string{"block", "features", "logits", "prediction", "contribution"}
	want := fetched(t, compile(t, smallNet(6), graph.Options{Fetch: names}), stream(all))
	for _, from := range []string{"block", "features"} {
		p := compile(t, smallNet(6), graph.Options{From: from, Fetch: names[slices.Index(names, from):], Batch: 3})
		require.Equal(t, map[string][]int{"block": {11, 6, 6}, "features": {11}}[from], p.InputShape())
		batch := graph.Batch{X: narrow(want[from]), N: 5, Labels: all.Labels}
		for name, got := range fetched(t, p, stream(batch)) {
			graphtest.RequireSameBits(t, [][]float64{want[name]}, [][]float64{got}, from+" to "+name)
		}
	}
	for name, c := range map[string]struct {
		o    graph.Options
		want string
	}{
		"unknown": {graph.Options{From: "nowhere"},
			`no tapped node is named "nowhere" to start from; there are ["block" "features" "logits" "prediction"]`},
		"lazy": {graph.Options{From: "scaled"}, `no tapped node is named "scaled"`},
		"ints": {graph.Options{From: "prediction"},
			"prediction cannot be started from: expected a batch of 8 in float32, got shape (8) in int"},
		"not enough": {graph.Options{From: "features", Fetch: []string{"logits", "image gradient"}},
			"no output depends differentiably on input"},
		"before": {graph.Options{From: "features", Fetch: []string{"block"}},
			`["block"] cannot be computed from "features" alone`},
	} {
		_, err := graph.Compile(smallNet(6), c.o)
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestHooks(t *testing.T) {
	all := samples(6, 5)
	plain := fetched(t, compile(t, smallNet(6), graph.Options{Fetch: []string{"features", "contribution"}}),
		stream(all))
	limit := 0.3
	clip := func(b *graph.Builder, n *G.Node) (*G.Node, error) {
		return graph.Clip(n, b.Constant("limit", func() []float64 { return []float64{limit} }, 1))
	}
	p := compile(t, smallNet(6), graph.Options{Fetch: []string{"features", "logits", "contribution"},
		Hooks: map[string]graph.Hook{"features": clip}, Workers: 2})
	got := fetched(t, p, stream(all))
	clipped := 0
	for i, v := range plain["features"] {
		require.Equal(t, min(v, float64(float32(limit))), got["features"][i])
		if v > limit {
			clipped++
		}
		if v == 0 {
			require.Zero(t, got["contribution"][i])
		}
	}
	require.NotZero(t, clipped)
	require.NotEqual(t, plain["contribution"], got["contribution"])
	// Later layers read the hooked node: a program that starts there gives the same logits.
	again := fetched(t, compile(t, smallNet(6), graph.Options{From: "features", Fetch: []string{"logits"}}),
		stream(graph.Batch{X: narrow(got["features"]), N: 5}))
	graphtest.RequireSameBits(t, [][]float64{got["logits"]}, [][]float64{again["logits"]}, "logits")

	for name, c := range map[string]struct {
		at   string
		hook graph.Hook
		want string
	}{
		"unknown name": {"feature", clip,
			`no tapped node is named "feature" to hook; there are ["block" "features" "logits" "prediction"]`},
		"lazy": {"scaled", clip, `no tapped node is named "scaled" to hook`},
		"nil": {"features", func(*graph.Builder, *G.Node) (*G.Node, error) { return nil, nil },
			"hook: result for features: expected a node, got nil"},
		"error": {"features", func(*graph.Builder, *G.Node) (*G.Node, error) { return nil, fmt.Errorf("no luck") },
			"no luck"},
		"shape": {"features", func(_ *graph.Builder, n *G.Node) (*G.Node, error) { return graph.Channels(n, 0, 3) },
			"expected shape (8, 11), got (8, 3)"},
		"type": {"features", func(b *graph.Builder, n *G.Node) (*G.Node, error) { return b.Labels(), nil },
			"expected shape (8, 11), got (8)"},
	} {
		_, err := graph.Compile(smallNet(6), graph.Options{Hooks: map[string]graph.Hook{c.at: c.hook}})
		require.ErrorContains(t, err, c.want, name)
	}
}

// TestShortBatchesWithLabels gathers by label. The repeated samples that fill up a short batch must have valid labels,
// too.
func TestShortBatchesWithLabels(t *testing.T) {
	all := samples(6, 5)
	all.Labels = []int{3, 0, 2, 2, 1}
	p := compile(t, smallNet(6), graph.Options{Fetch: []string{"logits", "label logit"}, Batch: 4})
	for n := 1; n <= 5; n++ {
		got := fetched(t, p, stream(pick(all, upTo(n)...)))
		for i := range n {
			require.Equal(t, got["logits"][i*4+all.Labels[i]], got["label logit"][i])
		}
	}
}

func TestLabelsReachTheOutputs(t *testing.T) {
	p := compile(t, smallNet(6), graph.Options{Fetch: []string{"prediction", "class"}, Batch: 2})
	all := samples(6, 5)
	unknown := all
	unknown.Labels = nil
	i := 0
	for out, err := range p.Run(context.Background(), stream(all, unknown, all)) {
		require.NoError(t, err)
		require.Equal(t, 5, out.N)
		if i == 1 {
			require.Equal(t, []int{-1, -1, -1, -1, -1}, out.Labels)
			require.Equal(t, out.Ints("prediction"), out.Ints("class"))
		} else {
			require.Equal(t, all.Labels, out.Labels)
			require.Equal(t, []int{out.Ints("prediction")[0], 0, 1, 2, 3}, out.Ints("class"))
		}
		i++
	}
	require.Equal(t, 3, i)
}

// TestNaNStaysInItsSample: NaN and infinities in one image do not affect the other images of the batch.
func TestNaNStaysInItsSample(t *testing.T) {
	const n, bad = 6, 2
	all := samples(6, n)
	poisoned := pick(all, upTo(n)...)
	for i, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		poisoned.X[bad*3*36+40*i] = v
	}
	for _, batch := range []int{1, 3, 6} {
		p := compile(t, smallNet(6), graph.Options{Fetch: everything, Batch: batch})
		want, got := fetched(t, p, stream(all)), fetched(t, p, stream(poisoned))
		for name, w := range want {
			row := len(w) / n
			for i := range n {
				a, b := w[i*row:][:row], got[name][i*row:][:row]
				if i != bad {
					graphtest.RequireSameBits(t, [][]float64{a}, [][]float64{b}, fmt.Sprint(name, " of sample ", i))
				} else if name == "logits" {
					require.True(t, math.IsNaN(b[0]))
				}
			}
		}
		requireSameRows(t, want, fetched(t, p, stream(all)), n, upTo(n), "afterwards")
	}
}

// TestParametersAreTakenWhenCompiled changes parameters after a program was compiled. Only a program that is compiled
// later sees the change.
func TestParametersAreTakenWhenCompiled(t *testing.T) {
	m := smallNet(6)
	o := graph.Options{Fetch: everything, Workers: 2}
	p := compile(t, m, o)
	for _, x := range m.params {
		for i := range x.Float32s() {
			x.Float32s()[i] *= 1.5
		}
	}
	all := samples(6, 5)
	want := fetched(t, compile(t, smallNet(6), o), stream(all))
	requireSameRows(t, want, fetched(t, p, stream(all)), 5, upTo(5), "compiled before the change")
	require.NotEqual(t, want["logits"], fetched(t, compile(t, m, o), stream(all))["logits"])
}

// TestLazyNodesAreMadeOnDemand counts how often a lazy node is made.
func TestLazyNodesAreMadeOnDemand(t *testing.T) {
	made := 0
	m := &model{shape: []int{2}, outputs: []string{"y"}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		b.Tap("y", x)
		b.TapOnDemand("once", func() (*G.Node, error) {
			made++
			return graph.Copy(x)
		})
		b.TapOnDemand("twice", func() (*G.Node, error) {
			n, err := b.Node("once")
			if err != nil {
				return nil, err
			}
			return graph.Add(n, n)
		})
		b.TapOnDemand("broken", func() (*G.Node, error) { return nil, fmt.Errorf("cannot") })
		b.TapOnDemand("nothing", func() (*G.Node, error) { return nil, nil })
		b.TapOnDemand("itself", func() (*G.Node, error) { return b.Node("itself") })
		b.TapOnDemand("builder", func() (*G.Node, error) { return b.Param("none"), nil })
		return b.Err()
	}
	o := graph.Options{Workers: 1}
	compile(t, m, o)
	require.Zero(t, made)
	o.Fetch = []string{"once", "twice", "once"}
	p := compile(t, m, o)
	require.Equal(t, 1, made)
	got := fetched(t, p, stream(graph.Batch{X: []float32{1, 2}, N: 1}))
	require.Equal(t, []float64{2, 4}, got["twice"])
	for name, want := range map[string]string{
		"broken": "broken: cannot", "nothing": `the node to name "nothing" is nil`,
		"itself":  "itself: the node is made from itself",
		"builder": `model has no parameter "none"`,
		"unknown": `no node is named "unknown"; there are ["y" "once" "twice"`,
	} {
		o.Fetch = []string{name}
		_, err := graph.Compile(m, o)
		require.ErrorContains(t, err, want)
	}
}

func TestOptionsErrors(t *testing.T) {
	for name, c := range map[string]struct {
		o    graph.Options
		want string
	}{
		"batch":        {graph.Options{Batch: -1}, "graph: expected a batch of at least 0 samples, got -1"},
		"huge batch":   {graph.Options{Batch: math.MaxInt >> 3}, ", 3, 6, 6) has too many elements"},
		"replicas":     {graph.Options{Workers: -2}, "expected at least 0 workers, got -2"},
		"nothing":      {graph.Options{Fetch: []string{}}, "expected a node to fetch, got none"},
		"element type": {graph.Options{Dtype: tensor.Int}, "expected element type float32 or float64, got int"},
		"device": {graph.Options{Device: "tpu"},
			`device: expected cpu, cuda or cuda:N with the number of a card, got "tpu"`},
		"not a tap": {graph.Options{Fetch: []string{"fc.weight"}},
			`no node is named "fc.weight"; there are ["block"`},
		"empty name": {graph.Options{Fetch: []string{""}}, `no node is named ""`},
	} {
		_, err := graph.Compile(smallNet(6), c.o)
		require.ErrorContains(t, err, c.want, name)
	}
	_, err := graph.Compile(nil, graph.Options{})
	require.EqualError(t, err, "graph: expected a model, got nil")
}

func TestOptionsAreCopied(t *testing.T) {
	fetch := []string{"logits"}
	p := compile(t, smallNet(6), graph.Options{Fetch: fetch})
	fetch[0] = "features"
	require.Equal(t, []string{"logits"}, p.Options().Fetch)
	require.Equal(t, graph.DefaultBatch, p.Options().Batch)
	require.Positive(t, p.Options().Workers)
	require.Equal(t, graph.CPU, p.Options().Device)
	require.IsType(t, &model{}, p.Model())
}

func TestOutputs(t *testing.T) {
	p := compile(t, smallNet(6), graph.Options{Fetch: everything})
	for out, err := range p.Run(context.Background(), stream(samples(6, 2))) {
		require.NoError(t, err)
		require.Equal(t, []int{11}, out.Shape("features"))
		require.Equal(t, []int{3, 6, 6}, out.Shape("image gradient"))
		require.Empty(t, out.Shape("prediction"))
		require.Len(t, out.Float32("features"), 22)
		require.Len(t, out.Ints("class"), 2)
		require.PanicsWithValue(t, `graph: "block" was not fetched`, func() { out.Float32("block") })
		require.PanicsWithValue(t, `graph: "prediction" does not hold float32`, func() { out.Float32("prediction") })
		require.PanicsWithValue(t, `graph: "logits" does not hold float64`, func() { out.Float64("logits") })
		require.PanicsWithValue(t, `graph: "logits" does not hold classes`, func() { out.Ints("logits") })
	}
}

// TestWorkCountsEverything: every operation, not only a convolution, adds to the estimated seconds, and equal programs
// have equal estimates.
func TestWorkCountsEverything(t *testing.T) {
	work := func(layers int, batch int) float64 {
		p, err := graph.Compile(&model{shape: []int{2, 8, 8}, outputs: []string{"y"},
			build: func(b *graph.Builder, x *G.Node) error {
				for range layers {
					// Mul has none of the floating-point operations that FLOPs counts.
					x = b.Do(func() (*G.Node, error) { return graph.Mul(x, x) })
				}
				b.Tap("y", x)
				return b.Err()
			}}, graph.Options{Batch: batch, Workers: 1})
		require.NoError(t, err)
		require.Zero(t, p.FLOPs())
		return p.EstimatedSeconds()
	}
	require.Equal(t, work(3, 4), work(3, 4))
	one, two, three := work(1, 4), work(2, 4), work(3, 4)
	require.Greater(t, two, one)
	const elements = 3 * 2 * 8 * 8 // two factors and a product
	perLayer := 4*elements/4e10 + 2e-6/16
	require.InDelta(t, perLayer, two-one, 1e-15)
	require.InDelta(t, perLayer, three-two, 1e-15)
	require.InDelta(t, 5e-5/16, one-perLayer, 1e-15, "a share of the run")
	require.Equal(t, work(3, 1), work(3, 8), "results do not depend on the batch")
}

// TestWorkOfADenseBlock: joining a member to a block costs only its dispatch; a Concat also costs what it copies.
func TestWorkOfADenseBlock(t *testing.T) {
	work := func(build func(b *graph.Builder, x *G.Node) *G.Node) float64 {
		p, err := graph.Compile(&model{shape: []int{2, 8, 8}, outputs: []string{"y"},
			build: func(b *graph.Builder, x *G.Node) error {
				b.Tap("y", build(b, x))
				return b.Err()
			}}, graph.Options{Batch: 4, Workers: 1})
		require.NoError(t, err)
		return p.EstimatedSeconds()
	}
	pool := func(b *graph.Builder, x *G.Node) *G.Node { // a pool, because it writes into the block itself
		return b.MaxPool(x, graph.PoolConfig{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Padding: [2]int{1, 1}})
	}
	pooled := work(func(b *graph.Builder, x *G.Node) *G.Node { return pool(b, pool(b, x)) })
	joined := work(func(b *graph.Builder, x *G.Node) *G.Node {
		return b.DenseBlock(pool(b, x), 4, 1, func(_ int, x *G.Node) *G.Node { return pool(b, x) })
	})
	copied := work(func(b *graph.Builder, x *G.Node) *G.Node {
		x = pool(b, x)
		y := pool(b, x)
		return b.Do(func() (*G.Node, error) { return graph.Concat(x, y) })
	})
	const channel = 8 * 8
	require.InDelta(t, 2e-6/16, joined-pooled, 1e-15)
	require.InDelta(t, 2e-6/16+4*(4+4)*channel/4e10, copied-pooled, 1e-15, "two channels twice, and four")
}

func TestBatchFor(t *testing.T) {
	for input, want := range map[[3]int]int{
		{3, 32, 32}: graph.DefaultBatch, {1, 28, 28}: graph.DefaultBatch, {3, 224, 224}: 6, {3, 299, 299}: 3,
		{3, 2000, 2000}: 1, {0, 0, 0}: graph.DefaultBatch,
	} {
		require.Equal(t, want, graph.BatchFor(input[:]...), "%v", input)
	}
}
