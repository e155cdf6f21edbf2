// Package bench measures how fast a network runs: images per second, the share of the processor's peak, memory, and the
// time of each kind of operation. Nothing else should use the processor meanwhile.
package bench

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/kernel"
	"github.com/line-ood/goline/nets"
)

// Result is the result of a measurement.
type Result struct {
	Net            string    `json:"net"`
	Kernels        string    `json:"kernels"`
	Device         string    `json:"device"`
	Precision      string    `json:"precision"`
	Workers        int       `json:"workers"`
	Threads        int       `json:"threads"` // of each worker
	Batch          int       `json:"batch"`
	Images         int       `json:"images"`
	ImagesPerSec   float64   `json:"images_per_second"` // median of the runs
	Runs           []float64 `json:"runs"`              // images per second, in order
	GFLOPPerImage  float64   `json:"gflop_per_image"`
	GFLOPS         float64   `json:"gflops"`
	PeakGFLOPS     float64   `json:"peak_gflops"` // measured in float32, sum over all workers; 0 on a card
	PeakShare      float64   `json:"peak_share_percent"`
	BytesPerImage  float64   `json:"allocated_bytes_per_image"`
	AllocsPerImage float64   `json:"allocations_per_image"`
	HeapMiB        float64   `json:"heap_mib"`
	Latency        *Latency  `json:"latency,omitempty"`
	Ops            []Op      `json:"ops"`
}

// Op is the cost of one kind of operation.
type Op struct {
	Name    string  `json:"name"`
	Device  string  `json:"device"` // where it ran
	Nodes   int     `json:"nodes"`
	Percent float64 `json:"time_percent"`
	GFLOPS  float64 `json:"gflops"` // of one worker
}

// Run runs a network over the given number of synthetic images: once to warm up, and then runs times for the
// measurement.
func Run(ctx context.Context, net nets.Classifier, o graph.Options, images, runs int, seed uint64) (Result, error) {
	return run(ctx, net, o, images, runs, false, seed)
}

// RunSingly is Run with each image handed over when the one before is done. It tells how long they take.
func RunSingly(ctx context.Context, net nets.Classifier, o graph.Options, images, runs int,
	seed uint64) (Result, error) {
	return run(ctx, net, o, images, runs, true, seed)
}

func run(ctx context.Context, net nets.Classifier, o graph.Options, images, runs int, singly bool,
	seed uint64) (Result, error) {
	r, err := measure(ctx, net, o, images, runs, singly, seed)
	if err != nil {
		return r, err
	}
	debug.FreeOSMemory() // frees the measured program before another of its size is compiled
	r.Ops, err = profile(ctx, net, o, images, seed)
	return r, err
}

// measure is Run without the kinds of operations, whose clocks cost a little.
func measure(ctx context.Context, net nets.Classifier, o graph.Options, images, runs int, singly bool,
	seed uint64) (Result, error) {
	prog, err := graph.Compile(net, o)
	if err != nil {
		return Result{}, err
	}
	o = prog.Options()
	r := Result{
		Net: net.Name(), Kernels: kernel.Level(), Precision: string(o.Precision), Device: string(o.Device),
		Workers: o.Workers, Threads: o.Threads, Batch: o.Batch,
		Images: images, GFLOPPerImage: float64(prog.FLOPs()) / 1e9,
	}
	defer prog.Close()
	if o.Precision == graph.BFloat16 {
		r.Kernels += " and " + kernel.BFloat16Level()
	}
	if o.Device == graph.CPU {
		r.PeakGFLOPS = peak(o.Workers * o.Threads)
	}
	// Garbage of the measurement itself would be collected while images are timed, on a processor that they need.
	noise := newSynthetic(prog, seed)
	var times []time.Duration
	once := func() error { return noise.run(ctx, prog, images) }
	if singly {
		times = make([]time.Duration, 0, images*max(runs, 1))
		once = func() (err error) {
			times, err = timeSingly(ctx, prog, noise, images, times)
			return err
		}
	}
	if err := once(); err != nil {
		return r, err
	}
	times = times[:0]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		start := time.Now()
		if err := once(); err != nil {
			return r, err
		}
		r.Runs = append(r.Runs, float64(images)/time.Since(start).Seconds())
	}
	runtime.ReadMemStats(&after)
	if singly {
		r.Latency = newLatency(times)
	}
	total := float64(images * runs)
	r.BytesPerImage = float64(after.TotalAlloc-before.TotalAlloc) / total
	r.AllocsPerImage = float64(after.Mallocs-before.Mallocs) / total
	r.HeapMiB = float64(after.HeapInuse) / (1 << 20)
	sorted := slices.Sorted(slices.Values(r.Runs))
	r.ImagesPerSec = (sorted[(runs-1)/2] + sorted[runs/2]) / 2
	r.GFLOPS = r.ImagesPerSec * r.GFLOPPerImage
	if r.PeakGFLOPS > 0 {
		r.PeakShare = 100 * r.GFLOPS / r.PeakGFLOPS
	}
	return r, nil
}

// peak measures the rate of fused multiply-adds on all workers at once, in GFLOP/s.
func peak(workers int) float64 {
	results := make(chan float64, workers)
	for range workers {
		go func() { results <- kernel.PeakFMA(300 * time.Millisecond) }()
	}
	total := 0.0
	for range workers {
		total += <-results
	}
	return total
}

// synthetic is images of noise, which take no time to make.
type synthetic struct {
	x    []float32 // [syntheticImages, size]
	size int
}

const syntheticImages = 64

func newSynthetic(prog *graph.Program, seed uint64) synthetic {
	s := synthetic{size: 1}
	for _, n := range prog.InputShape() {
		s.size *= n
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	s.x = make([]float32, syntheticImages*s.size)
	for i := range s.x {
		s.x[i] = float32(rng.NormFloat64())
	}
	return s
}

// images returns n images from the given one on.
func (s synthetic) images(from, n int) []float32 { return s.x[from*s.size:][:n*s.size] }

// run streams so many images to the program, the same ones again and again.
func (s synthetic) run(ctx context.Context, prog *graph.Program, images int) error {
	stream := func(yield func(graph.Batch, error) bool) {
		for left := images; left > 0; left -= syntheticImages {
			n := min(syntheticImages, left)
			if !yield(graph.Batch{X: s.images(0, n), N: n}, nil) {
				return
			}
		}
	}
	for _, err := range prog.Run(ctx, stream) {
		if err != nil {
			return err
		}
	}
	return nil
}

func profile(ctx context.Context, net nets.Classifier, o graph.Options, images int, seed uint64) ([]Op, error) {
	o.Profile = true
	prog, err := graph.Compile(net, o)
	if err != nil {
		return nil, err
	}
	defer prog.Close()
	if err := newSynthetic(prog, seed).run(ctx, prog, images); err != nil {
		return nil, err
	}
	var total time.Duration
	for _, k := range prog.Profile() {
		total += k.Time
	}
	var ops []Op
	for _, k := range prog.Profile() {
		op := Op{Name: k.Name, Device: string(k.Device), Nodes: k.Nodes,
			Percent: 100 * k.Time.Seconds() / total.Seconds()}
		if k.FLOPs > 0 {
			op.GFLOPS = float64(k.FLOPs) / 1e9 / k.Time.Seconds()
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// Print writes the result as text and tables.
func (r Result) Print(w io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"operation", "ran on", "nodes", "time %", "GFLOP/s a worker"})
	for _, op := range r.Ops {
		rate := ""
		if op.GFLOPS > 0 {
			rate = fmt.Sprintf("%.1f", op.GFLOPS)
		}
		t.AppendRow(table.Row{op.Name, op.Device, op.Nodes, fmt.Sprintf("%.1f", op.Percent), rate})
	}
	kernels := "kernels " + r.Kernels
	peak := fmt.Sprintf("peak            %.1f GFLOP/s measured in float32, %.1f %% of it reached\n", r.PeakGFLOPS,
		r.PeakShare)
	if r.Device != string(graph.CPU) {
		kernels, peak = "device "+r.Device, ""
	}
	workers := fmt.Sprintf("%d workers, %d images at once each", r.Workers, r.Batch)
	if l := r.Latency; l != nil {
		workers = fmt.Sprintf("one image at a time, shared by %d threads", r.Threads)
		peak = fmt.Sprintf("latency         p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, at most %.3f ms, of %d images\n",
			l.P50, l.P90, l.P99, l.Max, l.Images) + peak
	}
	_, err := fmt.Fprintf(w, `%s in %s, %s, %s
images/s        %.1f (median of %d runs of %d images)
GFLOP/s         %.1f at %.3f GFLOP an image
%sallocated       %.0f bytes and %.2f objects an image, heap %.1f MiB
%s
`, r.Net, r.Precision, kernels, workers, r.ImagesPerSec, len(r.Runs), r.Images, r.GFLOPS, r.GFLOPPerImage,
		peak, r.BytesPerImage, r.AllocsPerImage, r.HeapMiB, t.Render())
	return err
}
