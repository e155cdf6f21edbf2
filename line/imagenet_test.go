package line

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// linearNet is a final layer without a network before it.
type linearNet struct {
	classes, features int
	weight, bias      *graph.Param
}

func newLinearNet(classes, features int) *linearNet {
	n := &linearNet{classes, features, graph.NewParam("fc.weight", classes, features),
		graph.NewParam("fc.bias", classes)}
	rng := rand.New(rand.NewPCG(5, 1))
	for i := range n.weight.Float32s() {
		n.weight.Float32s()[i] = float32(0.03 * rng.NormFloat64())
	}
	return n
}

func (n *linearNet) Name() string                      { return "linear" }
func (n *linearNet) Classes() int                      { return n.classes }
func (n *linearNet) FeatureDim() int                   { return n.features }
func (n *linearNet) Preprocessing() nets.Preprocessing { return nets.Preprocessing{} }
func (n *linearNet) Head() (weight, bias *graph.Param) { return n.weight, n.bias }
func (n *linearNet) InputShape() []int                 { return []int{n.features} }
func (n *linearNet) Params() []*graph.Param            { return []*graph.Param{n.weight, n.bias} }
func (n *linearNet) Outputs() []string                 { return []string{"features", "logits"} }
func (n *linearNet) Build(b *graph.Builder, x *G.Node) error {
	z := b.Tap("features", x)
	l := b.Tap("logits", b.Linear(z, "fc"))
	b.Tap("prediction", b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	return b.Err()
}

// syntheticFeatures streams n samples whose labels cover all classes.
func syntheticFeatures(n, classes, features int) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		rng := rand.New(rand.NewPCG(6, 1))
		const size = 100
		b := graph.Batch{X: make([]float32, size*features), Labels: make([]int, size)}
		for lo := 0; lo < n; lo += size {
			b.N = min(size, n-lo)
			for i := range b.X {
				b.X[i] = float32(max(0, rng.NormFloat64()))
			}
			for i := range b.N {
				b.Labels[i] = (lo + i) % classes
			}
			done := make(chan struct{})
			part := graph.Batch{X: b.X[:b.N*features], Labels: b.Labels[:b.N], N: b.N, Release: func() { close(done) }}
			if !yield(part, nil) {
				return
			}
			<-done
		}
	}
}

// BenchmarkImageNetHead fits and scores features with K = 1000 and D = 2048 on one core. It reports the time from
// contributions to a compiled detector, the time for a sample, and the heap in use with the detector in memory.
func BenchmarkImageNetHead(b *testing.B) {
	const classes, features, samples = 1000, 2048, 1000
	ctx := context.Background()
	net := newLinearNet(classes, features)
	one := graph.Options{From: "features", Workers: 1}
	prog, err := graph.Compile(net, one)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	c, err := Measure(ctx, prog, syntheticFeatures(classes, classes, features))
	if err != nil {
		b.Fatal(err)
	}
	fit := time.Since(start)
	var setup, score time.Duration
	var heap runtime.MemStats
	runs := 0
	for b.Loop() {
		start = time.Now()
		det, err := New(ctx, net, c, Options{ActivationPercentile: 10, WeightPercentile: 10, Clip: 0.8})
		if err != nil {
			b.Fatal(err)
		}
		pipeline, err := det.Compile(one)
		if err != nil {
			b.Fatal(err)
		}
		setup += time.Since(start)
		start = time.Now()
		s, err := Collect(ctx, pipeline, syntheticFeatures(samples, classes, features))
		if err != nil {
			b.Fatal(err)
		}
		score += time.Since(start)
		if math.IsInf(s.Score[0], 0) {
			b.Fatal("infinite score")
		}
		runtime.GC()
		runtime.ReadMemStats(&heap)
		runtime.KeepAlive(pipeline)
		runs++
	}
	b.ReportMetric(fit.Seconds()/classes*1e6, "fit-µs/sample")
	b.ReportMetric(setup.Seconds()/float64(runs), "setup-s")
	b.ReportMetric(score.Seconds()/float64(runs)/samples*1e6, "score-µs/sample")
	b.ReportMetric(float64(heap.HeapAlloc)/1e6, "heap-MB")
}
