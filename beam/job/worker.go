package job

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// worker holds what a process opens once for all its bundles.
type worker struct {
	options Options
	net     nets.Classifier
	pre     nets.Preprocessing
	det     *line.Detector // for Score
	program *graph.Program
	set     dataset.Dataset // nil for a list of pictures
}

// opening is a worker that the first caller opens while others wait.
type opening struct {
	once   sync.Once
	worker *worker
	err    error
}

// workers holds the process's workers by their options. Beam makes a DoFn for each bundle in progress, and offers no
// other place for what these share.
var workers sync.Map

// workerOf returns the process's worker for the options. An error is kept too: the runner ends a process whose
// bundles fail.
func workerOf(ctx context.Context, o Options) (*worker, error) {
	key, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	v, _ := workers.LoadOrStore(string(key), &opening{})
	w := v.(*opening)
	w.once.Do(func() {
		opened.Inc(ctx, 1)
		w.worker, w.err = openWorker(ctx, o)
	})
	return w.worker, w.err
}

func openWorker(ctx context.Context, o Options) (*worker, error) {
	w := &worker{options: o}
	var err error
	if o.Job == Score {
		data, err := read(ctx, o.Detector)
		if err != nil {
			return nil, err
		}
		if w.det, err = line.Read(bytes.NewReader(data), int64(len(data)), o.Detector); err != nil {
			return nil, err
		}
		w.net, w.pre = w.det.Network(), w.det.Preprocessing()
		w.program, err = w.det.Compile(o.graph())
		if err != nil {
			return nil, err
		}
	} else {
		if w.net, err = o.network(ctx); err != nil {
			return nil, err
		}
		w.pre = w.net.Preprocessing()
		if w.program, err = o.compile(w.net); err != nil {
			return nil, err
		}
	}
	if err := w.pre.Check(); err != nil {
		return nil,
			fmt.Errorf("preprocess: how images are prepared for %s is not known: expected one of %s, or a JSON file: "+
				"%w", w.net.Name(), strings.Join(nets.Presets(), ", "), err)
	}
	if _, _, isList := o.list(func(name string) bool { return exists(ctx, name) }); !isList {
		w.set, err = dataset.Open(o.Data)
	}
	return w, err
}

// compile makes the program of a network for the job.
func (o Options) compile(net nets.Classifier) (*graph.Program, error) {
	g := o.graph()
	if o.Job == Fit {
		g.Fetch = []string{line.ContributionsNode, nets.Features}
		return graph.Compile(line.Pipeline{Classifier: net}, g)
	}
	return graph.Compile(net, g)
}

// Counters of a job, in Beam's metrics under the namespace goline.
var (
	pictures = beam.NewCounter(Namespace, "pictures")                 // images that were read and run
	failures = beam.NewCounter(Namespace, "failures")                 // images that could not be read
	taken    = beam.NewCounter(Namespace, "pictures_taken")           // images of pieces finished earlier
	bundles  = beam.NewCounter(Namespace, "bundles")                  // bundles that had pieces
	opened   = beam.NewCounter(Namespace, "workers_opened")           // networks that were opened
	rate     = beam.NewDistribution(Namespace, "pictures_per_second") // for each piece
)

// Namespace is the namespace of the counters.
const Namespace = "goline"
