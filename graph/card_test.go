package graph_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
	"github.com/line-ood/goline/internal/cuda"
	"github.com/line-ood/goline/internal/cuda/emu"
)

// requireNear compares what two programs fetched. tol is relative to the largest element.
func requireNear(t *testing.T, want, got map[string][]float64, tol float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for name := range want {
		graphtest.RequireClose(t, want[name], got[name], tol, name)
	}
}

// TestCardComputesWhatTheProcessorDoes compares everything that a program can fetch between the card and the processor,
// with batches that are not full, further inputs and unknown labels.
func TestCardComputesWhatTheProcessorDoes(t *testing.T) {
	card := emu.Use(t)
	net, batch := smallNet(8), samples(8, 11)
	want := fetched(t, compile(t, net, graph.Options{Batch: 4, Fetch: everything}), stream(batch))
	before := card.Used()
	for _, o := range []graph.Options{{}, {Batch: 4, Workers: 1}, {Batch: 5, Workers: 3},
		{Device: "cuda:0", Batch: 11}} {
		if o.Device == "" {
			o.Device = graph.CUDA
		}
		o.Fetch = everything
		p := compile(t, net, o)
		got := fetched(t, p, stream(batch))
		requireNear(t, want, got, 1e-5)
		graphtest.RequireSameBits(t, [][]float64{got["logits"]}, [][]float64{fetched(t, p, stream(batch))["logits"]},
			"another run")
		require.NoError(t, p.Close())
		require.NoError(t, p.Close(), "a second time")
	}
	require.Greater(t, card.Used().Launches, before.Launches+100)
	require.Equal(t, before.Held(), card.Used().Held())
}

// TestCardGivesTheSameBits: results do not depend on the batch size or on the number of replicas.
func TestCardGivesTheSameBits(t *testing.T) {
	emu.Use(t)
	net, batch := smallNet(8), samples(8, 9)
	var want map[string][]float64
	for _, o := range []graph.Options{{Batch: 9, Workers: 1}, {Batch: 1, Workers: 2}, {Batch: 4, Workers: 3}} {
		o.Device, o.Fetch = graph.CUDA, everything
		p := compile(t, net, o)
		got := fetched(t, p, stream(batch))
		require.NoError(t, p.Close())
		if want == nil {
			want = got
		}
		for _, name := range everything {
			graphtest.RequireSameBits(t, [][]float64{want[name]}, [][]float64{got[name]}, name)
		}
	}
}

// TestOperationsWithoutAKernelRunOnTheProcessor: operations without a kernel for cards, stock ones among them, run
// between operations that have one.
func TestOperationsWithoutAKernelRunOnTheProcessor(t *testing.T) {
	emu.Use(t)
	m := &model{shape: []int{2, 4, 4}, outputs: []string{"y", "z"}}
	m.param("w", graphtest.Normal(newRand(5), 3, 2, 3, 3))
	m.build = func(b *graph.Builder, x *G.Node) error {
		must := must2(t)
		y := must(graph.Conv2D(x, b.Param("w"), nil, graph.ConvConfig{}))
		y = must(graph.Tripwire(y, func(float64) error { return nil }))
		y = must(graph.ReLU(y))
		z := must(graph.Copy(must(G.Tanh(y)))) // a stock operation
		b.Tap("y", y)
		b.Tap("z", must(graph.Mul(z, y)))
		return b.Err()
	}
	batch := batchOf(graphtest.Normal(newRand(6), 5, 2, 4, 4))
	want := fetched(t, compile(t, m, graph.Options{}), stream(batch))
	p := compile(t, m, graph.Options{Device: graph.CUDA, Batch: 2, Profile: true})
	requireNear(t, want, fetched(t, p, stream(batch)), 1e-5)
	on := map[string]graph.Device{}
	for _, k := range p.Profile() {
		on[k.Name] = k.Device
	}
	require.Equal(t, map[string]graph.Device{"Conv2D 3×3": graph.CUDA, "Tripwire": graph.CPU, "ReLU": graph.CUDA,
		"Copy": graph.CUDA, "Mul": graph.CUDA, "Fetch": graph.CUDA}, on)
	require.NoError(t, p.Close())
}

// TestCardReportsClassesThatDoNotExist: the card reports such a class as the processor does, and goes on with the next
// batch.
func TestCardReportsClassesThatDoNotExist(t *testing.T) {
	emu.Use(t)
	net := smallNet(8)
	good := samples(8, 3)
	bad := samples(8, 3)
	good.Labels, bad.Labels = []int{1, 0, 3}, []int{1, 9, 2}
	for _, device := range []graph.Device{graph.CPU, graph.CUDA} {
		p := compile(t, net, graph.Options{Device: device, Batch: 3, Fetch: []string{"label logit"}})
		for _, err := range p.Run(context.Background(), stream(bad)) {
			require.EqualError(t, err,
				"batch 0: samples 0 to 2: Gather: sample 1 of the batch: expected a class from 0 to 3, got 9")
		}
		require.Len(t, fetched(t, p, stream(good))["label logit"], 3)
		require.NoError(t, p.Close())
	}
}

// TestNoDriver: without a driver the error says so.
func TestNoDriver(t *testing.T) {
	t.Setenv(cuda.DriverVariable, "/none/libcuda.so")
	_, err := graph.Compile(smallNet(8), graph.Options{Device: graph.CUDA})
	require.ErrorIs(t, err, cuda.ErrUnavailable)
	require.ErrorContains(t, err, `graph: device "cuda": CUDA is not available: `)
}

// TestNoSuchCard: the error says which cards there are.
func TestNoSuchCard(t *testing.T) {
	emu.Use(t)
	d, err := cuda.Open()
	require.NoError(t, err)
	cards, err := d.Cards()
	require.NoError(t, err)
	n := len(cards)
	_, err = graph.Compile(smallNet(8), graph.Options{Device: graph.Device(fmt.Sprintf("cuda:%d", n))})
	require.ErrorIs(t, err, cuda.ErrUnavailable)
	require.EqualError(t, err, fmt.Sprintf(
		`graph: device "cuda:%d": CUDA is not available: expected a device from 0 to %d, got %d`, n, n-1, n))
}

// TestCardFailures: each error says what is wrong and leaves no memory behind on the card, and the program still runs
// on the processor.
func TestCardFailures(t *testing.T) {
	net, batch := smallNet(8), samples(8, 4)
	options := graph.Options{Device: graph.CUDA, Batch: 2, Workers: 2}
	for name, c := range map[string]struct {
		prepare func(card *emu.Card)
		is      error
		says    string
	}{
		"no card": {func(card *emu.Card) { card.SetDevices(0) }, cuda.ErrUnavailable,
			"the driver finds no usable card"},
		"memory":       {func(card *emu.Card) { card.SetMemory(5000) }, cuda.ErrOutOfMemory, "5000 are free"},
		"later memory": {func(card *emu.Card) { card.Fail("cuMemAlloc", 3, 1) }, nil, "bytes wanted"},
		"pinned memory": {func(card *emu.Card) { card.Fail("cuMemAllocHost", 2, 1) }, nil,
			"pinned host memory"},
		"stream": {func(card *emu.Card) { card.Fail("cuStreamCreate", 1, 1) }, nil, "cuStreamCreate"},
		"upload": {func(card *emu.Card) { card.Fail("cuMemcpyHtoDAsync", 1, 1) }, nil,
			"cuMemcpyHtoDAsync"},
		"kernel": {func(card *emu.Card) { card.Fail("cuModuleLoadDataEx", 0, 218) }, nil,
			"kernel conv16_k3_f32 of conv.ptx on device 0 (emulated card 0)"},
		"launch": {func(card *emu.Card) { card.Fail("cuLaunchKernel", 7, 719) }, cuda.ErrLost,
			"kernel "},
		"lost, at sync": {func(card *emu.Card) { card.Fail("cuStreamSynchronize", 20, 700) }, cuda.ErrLost,
			"CUDA_ERROR_ILLEGAL_ADDRESS"},
		"lost, download": {func(card *emu.Card) { card.Fail("cuMemcpyDtoHAsync", 1, 700) }, cuda.ErrLost,
			"CUDA_ERROR_ILLEGAL_ADDRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			card := emu.Use(t)
			before := card.Used().Held()
			c.prepare(card)
			o := options
			if name == "launch" {
				o.Workers = 1 // with two workers, either may be the first to meet the lost context
			}
			p, err := graph.Compile(net, o)
			if err == nil {
				for range 20 {
					if err = errors.Join(err, runAll(p, batch)); err != nil {
						break
					}
				}
				_ = p.Close() // Close reports a lost context again
			}
			require.Error(t, err)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			require.ErrorContains(t, err, c.says)
			require.Equal(t, before, card.Used().Held())
			require.NoError(t, runAll(compile(t, net, graph.Options{}), batch))
		})
	}
}

func runAll(p *graph.Program, batch graph.Batch) error {
	for _, err := range p.Run(context.Background(), stream(batch)) {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestCardMemoryStaysFlat: memory on the card does not grow over a thousand runs. It is given back when the garbage
// collector finds a program that nobody closed.
func TestCardMemoryStaysFlat(t *testing.T) {
	card := emu.Use(t)
	m := &model{shape: []int{2, 4, 4}, outputs: []string{"y"}}
	m.param("w", graphtest.Normal(newRand(5), 3, 2, 3, 3))
	m.build = func(b *graph.Builder, x *G.Node) error {
		b.Tap("y", b.GlobalAvgPool(b.ReLU(b.Conv(x, "w", graph.ConvConfig{}))))
		return b.Err()
	}
	m.params[0].Name = "w.weight"
	before := card.Used().Held()
	func() {
		p := compile(t, m, graph.Options{Device: graph.CUDA, Batch: 2, Workers: 2})
		batch := batchOf(graphtest.Normal(newRand(6), 3, 2, 4, 4))
		for range 3 {
			require.NoError(t, runAll(p, batch))
		}
		held, goroutines := card.Used().Held(), runtime.NumGoroutine()
		for range 1000 {
			require.NoError(t, runAll(p, batch))
		}
		require.Equal(t, held, card.Used().Held())
		require.LessOrEqual(t, runtime.NumGoroutine(), goroutines+2)
		runtime.KeepAlive(p)
	}()
	require.Eventually(t, func() bool {
		runtime.GC()
		return card.Used().Held() == before
	}, 5e9, 2e7)
}

// TestMemoryOfGarbageIsFound: where the card has too little memory for another program, the memory of programs that are
// garbage is given back first.
func TestMemoryOfGarbageIsFound(t *testing.T) {
	card := emu.Use(t)
	net := smallNet(8)
	o := graph.Options{Device: graph.CUDA, Batch: 16, Workers: 1}
	before := card.Used().Bytes
	p := compile(t, net, o)
	one := card.Used().Bytes - before
	require.NoError(t, p.Close())
	card.SetMemory(int(before + one + one/2))
	for range 5 {
		require.NoError(t, runAll(compile(t, net, o), samples(8, 2)))
	}
	runtime.GC()
}

// TestTrainingOnACard takes twenty steps of gradient descent on the card and on the processor.
func TestTrainingOnACard(t *testing.T) {
	card := emu.Use(t)
	before := card.Used().Held()
	const n, classes, steps = 8, 3, 20
	r := newRand(3)
	batch := graph.TrainingBatch{X: narrow(graphtest.Normal(r, n, 3, 5, 5).Data), Targets: make([]float32, n*classes),
		Seeds: make([]int, n)}
	for i := range n {
		batch.Targets[i*classes+i%classes], batch.Seeds[i] = 1, i
	}
	train := func(device graph.Device) (losses, weights []float64) {
		net := newSmallClassifier()
		p, err := graph.CompileTraining(net, graph.TrainingOptions{Batch: n, Shard: 4, Workers: 2, Device: device})
		require.NoError(t, err)
		for range steps {
			out, err := p.Run(context.Background(), batch)
			require.NoError(t, err)
			losses = append(losses, out.Loss)
			for i, q := range p.Params() {
				for j, g := range p.Gradients()[i] {
					q.Float32s()[j] -= 0.05 * g
				}
			}
		}
		for _, q := range net.Params() {
			for _, v := range q.Float32s() {
				weights = append(weights, float64(v))
			}
		}
		require.NoError(t, p.Close())
		return losses, weights
	}
	wantLoss, want := train(graph.CPU)
	gotLoss, got := train(graph.CUDA)
	require.Less(t, wantLoss[steps-1], wantLoss[0]-0.1)
	graphtest.RequireClose(t, wantLoss, gotLoss, 1e-5, "loss")
	graphtest.RequireClose(t, want, got, 1e-4, "weights")
	require.Equal(t, before, card.Used().Held())
}

func TestDevice(t *testing.T) {
	for _, d := range []graph.Device{"", "cpu", "cuda", "cuda:0", "cuda:12"} {
		require.NoError(t, d.Check(), d)
	}
	for _, d := range []graph.Device{"tpu", "cuda:", "cuda:-1", "cuda:x", "CUDA", "cuda:1:2", "cpu:0"} {
		require.ErrorContains(t, d.Check(), "expected cpu, cuda or cuda:N", d)
	}
	_, err := graph.Compile(smallNet(8), graph.Options{Device: graph.CUDA, Dtype: tensor.Float64})
	require.ErrorContains(t, err, "expected element type float32, got float64")
}

// TestActivationsOnACard compares every function of one variable and its derivative with the processor's, at kinks, at
// large arguments, at infinities and at NaN.
func TestActivationsOnACard(t *testing.T) {
	emu.Use(t)
	xs := []float64{0, math.Copysign(0, -1), 1, -1, 3, -3, 6, 0.5, -0.5, 2.5, -2.5, 1e-3, -1e-3, 20, -20, 60, -60,
		math.Inf(1), math.Inf(-1), math.NaN()}
	r := newRand(9)
	for range 200 {
		xs = append(xs, float64(float32(3*r.NormFloat64())))
	}
	acts := map[string]graph.Activation{
		"relu6": graph.ActReLU6(), "clamp": graph.ActClamp(-0.5, 2.5), "sigmoid": graph.ActSigmoid(),
		"silu": graph.ActSiLU(), "swish": graph.ActSwish(1.5),
		"hardsigmoid": graph.ActHardSigmoid(0.2, 0.5), "hardswish": graph.ActHardSwish(), "gelu": graph.ActGELU(),
		"gelutanh": graph.ActGELUTanh(),
		"tanh":     graph.ActTanh(), "softplus": graph.ActSoftplus(), "mish": graph.ActMish(),
		"softsign": graph.ActSoftsign(), "leaky": graph.ActLeakyReLU(0.1),
		"elu": graph.ActELU(0.7), "celu": graph.ActCELU(0.7), "selu": graph.ActSELU(1.67, 1.05),
	}
	unary := map[string]func(*G.Node) (*G.Node, error){
		"relu": graph.ReLU, "exp": graph.Exp, "log": graph.Log, "sqrt": graph.Sqrt, "reciprocal": graph.Reciprocal,
		"abs": graph.Abs, "neg": graph.Neg,
		"erf": graph.Erf, "sin": graph.Sin, "cos": graph.Cos, "square": graph.Square, "floor": graph.Floor,
		"ceil": graph.Ceil, "round": graph.Round, "sign": graph.Sign,
	}
	for name, a := range acts {
		unary[name] = func(x *G.Node) (*G.Node, error) { return graph.Activate(x, a) }
	}
	for name, f := range unary {
		m := &model{shape: []int{1}, outputs: []string{"y", "slope"}}
		m.build = func(b *graph.Builder, x *G.Node) error {
			y := b.Tap("y", b.Do(func() (*G.Node, error) { return f(x) }))
			b.TapOnDemand("slope", func() (*G.Node, error) {
				one, err := graph.Reshape(b.Ones(), 1)
				if err != nil {
					return nil, err
				}
				gs, err := graph.Gradients(G.Nodes{y}, G.Nodes{one}, G.Nodes{x})
				if err != nil {
					return nil, err
				}
				return gs[0], nil
			})
			return b.Err()
		}
		batch := graph.Batch{X: narrow(xs), N: len(xs)}
		want := fetched(t, compile(t, m, graph.Options{Batch: len(xs)}), stream(batch))
		p := compile(t, m, graph.Options{Batch: len(xs), Device: graph.CUDA, Workers: 1})
		got := fetched(t, p, stream(batch))
		require.NoError(t, p.Close())
		for _, what := range m.outputs {
			for i, w := range want[what] {
				g := got[what][i]
				// the processor's formulas give NaN at infinities, where the card may give the limit
				near := math.Abs(g-w) <= 2e-6*max(1, math.Abs(w)) || g == w || math.IsNaN(w) &&
					(math.IsNaN(g) || math.IsInf(xs[i], 0))
				require.True(t, near, "%s: %s of %v is %v, expected %v", name, what, xs[i], g, w)
			}
		}
	}
}

// TestEveryOperationOfTheNetworkHasAKernel: nothing of the small network runs on the processor.
func TestEveryOperationOfTheNetworkHasAKernel(t *testing.T) {
	emu.Use(t)
	p := compile(t, smallNet(8), graph.Options{Device: graph.CUDA, Batch: 2, Workers: 1, Profile: true,
		Fetch: everything})
	require.NoError(t, runAll(p, samples(8, 2)))
	var without []string
	for _, k := range p.Profile() {
		if k.Device == graph.CPU {
			without = append(without, k.Name)
		}
	}
	require.Empty(t, without, fmt.Sprint("without a kernel: ", strings.Join(without, ", ")))
	require.NoError(t, p.Close())
}
