// Command goline-beam runs goline's features, fit or score as an Apache Beam pipeline: on the runner prism inside the
// program, unless --runner names another runner, whose flags it takes too.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/metrics"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"

	"github.com/line-ood/goline/beam/job"
	"github.com/line-ood/goline/graph"
)

// prismBundles is the number of branches among which work is divided on prism, which runs that many bundles at once.
const prismBundles = 8

func main() { os.Exit(run(context.Background(), os.Stdout, os.Stderr)) }

func run(ctx context.Context, out, errs io.Writer) int {
	var o job.Options
	o.LINe = job.DefaultParameters()
	flag.StringVar(&o.Job, "job", "", "what to do: features, fit or score")
	flag.StringVar(&o.Network, "net", "", "architecture or ONNX file, as of goline")
	flag.StringVar(&o.Weights, "weights", "", "file of weights")
	flag.StringVar(&o.Preprocess, "preprocess", "", "preset or JSON file of how images are prepared")
	flag.StringVar(&o.Detector, "detector", "", "detector to score with")
	flag.StringVar(&o.Data, "data", "", "images: list:FILE, list:FILE+FOLDER, or any DATA of goline")
	flag.StringVar(&o.Out, "out", "", "detector of a fit, or folder of the files of features and scores")
	flag.StringVar(&o.Parts, "parts", "", "folder that keeps the statistics of a fit's pieces")
	flag.IntVar(&o.Pieces, "pieces", 0, "pieces that the list is cut into, 0 for one for each 1,000 images")
	flag.IntVar(&o.Bundles, "bundles", -1,
		"branches that pieces are dealt to, 0 for none, -1 for 8 on prism and none elsewhere")
	flag.StringVar(&o.DeadLetters, "dead-letters", "",
		"folder for the images that cannot be read, a file of JSON lines for each piece that has some; without it "+
			"such an image fails the job")
	flag.BoolVar(&o.Resume, "resume", false, "take pieces that an earlier job finished as they are")
	flag.IntVar(&o.Batch, "batch", 0, "images that one processor runs at once, 0 for as many as suit their size")
	flag.IntVar(&o.Workers, "workers", 0, "processors of a worker, 0 for all")
	flag.StringVar((*string)(&o.Precision), "precision", string(graph.Float32),
		"what convolutions multiply in: f32, bf16 or tf32")
	flag.StringVar((*string)(&o.Device), "device", string(graph.CPU),
		"where each worker runs the network: cpu, cuda or cuda:N")
	flag.Float64Var(&o.LINe.ActivationPercentile, "p-a", o.LINe.ActivationPercentile,
		"percentile of activation pruning")
	flag.Float64Var(&o.LINe.WeightPercentile, "p-w", o.LINe.WeightPercentile, "percentile of weight pruning")
	flag.Float64Var(&o.LINe.Clip, "clip", o.LINe.Clip, "bound of activations")
	attempts := flag.Int("attempts", 1,
		"how often to try; from the second time on finished pieces are taken as they are")
	flag.Parse()
	log.SetLogger(&log.Standard{Level: log.SevWarn})
	slog.SetDefault(slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))) // for prism's log
	// a process that Beam starts as a worker does not return from this call
	beam.Init()
	runner := flag.Lookup("runner").Value.String()
	if o.Bundles < 0 {
		if o.Bundles = 0; runner == "" || runner == "prism" {
			o.Bundles = prismBundles
		}
	}
	err := o.Check()
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("expected flags alone, got %q", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(errs, "goline-beam: %v\n", err)
		return 2
	}
	for i := 1; ; i++ {
		start := time.Now()
		p, s := beam.NewPipelineWithRoot()
		job.Build(s, o)
		result, err := beamx.RunWithMetrics(ctx, p)
		if err == nil {
			report(out, result, time.Since(start))
			return 0
		}
		fmt.Fprintf(errs, "goline-beam: %v\n", err)
		if i >= *attempts {
			return 1
		}
		o.Resume = o.Job != job.Fit || o.Parts != ""
	}
}

// report writes the job's counters.
func report(out io.Writer, result beam.PipelineResult, took time.Duration) {
	totals := map[string]int64{}
	if result != nil {
		for _, c := range result.Metrics().Query(func(r metrics.SingleResult) bool {
			return r.Namespace() == job.Namespace
		}).Counters() {
			totals[c.Key.Name] += c.Result()
		}
	}
	fmt.Fprintf(out,
		"%d pictures in %.1f s, %.0f a second; %d taken as they were, %d could not be read; %d bundles, %d networks "+
			"opened\n",
		totals["pictures"], took.Seconds(), float64(totals["pictures"])/took.Seconds(), totals["pictures_taken"],
		totals["failures"],
		totals["bundles"], totals["workers_opened"])
}
