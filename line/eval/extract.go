package eval

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// Extract runs images through a program that fetches features and logits, which [graph.Compile] of a classifier does
// by default, and returns both with the labels: [image, features] and [image, classes]. A stream without images gives
// samples with N = 0. A network without features gives samples without features. Errors are those of the stream and
// of ctx, and one that names a feature or logit that is not finite.
func Extract(ctx context.Context, program *graph.Program, images graph.Batches) (posthoc.Samples, error) {
	var s posthoc.Samples
	err := each(ctx, program, images, func(out *graph.Outputs) error {
		s.N += out.N
		s.Classes = len(out.Float32(nets.Logits)) / out.N
		if fetched(program, nets.Features) {
			s.FeatureDim = len(out.Float32(nets.Features)) / out.N
			s.Features = append(s.Features, out.Float32(nets.Features)...)
		}
		s.Logits = append(s.Logits, out.Float32(nets.Logits)...)
		s.Labels = append(s.Labels, out.Labels...)
		return nil
	})
	if !slices.ContainsFunc(s.Labels, func(l int) bool { return l >= 0 }) {
		s.Labels = nil
	}
	return s, err
}

// WriteFeatures is Extract into an npz file of features float32 [image, features], logits float32 [image, classes]
// and labels int64 [image], -1 where unknown. Features are written batch by batch; only logits and labels stay in
// memory. n is the number of images in the stream. The file appears complete or not at all.
func WriteFeatures(ctx context.Context, path string, program *graph.Program, net nets.Classifier, images graph.Batches,
	n int) error {
	return writeFeatures(ctx, path, program, net, images, n)
}

// writeFeatures is WriteFeatures with additional arrays.
func writeFeatures(ctx context.Context, path string, program *graph.Program, net nets.Classifier, images graph.Batches,
	n int, more ...npyz.Named) error {
	if net.FeatureDim() == 0 {
		return fmt.Errorf("features of %s: %w", net.Name(), nets.ErrNoHead)
	}
	var reading error // error of the stream or the network, not of the file
	err := npyz.CreateNpz(path, npyz.Stored, func(w *npyz.Writer) error {
		rows, err := npyz.NewRows[float32](w, "features", n, net.FeatureDim())
		if err != nil {
			return err
		}
		logits := make([]float32, 0, n*net.Classes())
		labels := make([]int64, 0, n)
		var writing error
		err = each(ctx, program, images, func(out *graph.Outputs) error {
			logits = append(logits, out.Float32(nets.Logits)...)
			for _, l := range out.Labels {
				labels = append(labels, int64(l))
			}
			writing = rows.Write(out.Float32(nets.Features))
			return writing
		})
		if err != nil {
			if writing == nil {
				reading = err
			}
			return err
		}
		if err := rows.Close(); err != nil {
			return err
		}
		if err := w.Write("logits", npyz.New(logits, n, net.Classes())); err != nil {
			return err
		}
		for _, a := range append([]npyz.Named{{Name: "labels", Array: npyz.New(labels)}}, more...) {
			if err := w.Write(a.Name, a.Array); err != nil {
				return err
			}
		}
		return nil
	})
	if reading != nil {
		return reading
	}
	return err
}

// fetched reports whether a program fetches the node of that name.
func fetched(program *graph.Program, name string) bool {
	return slices.Contains(program.Options().Fetch, name)
}

// each calls use with every batch of features and logits, after checking that all values are finite.
func each(ctx context.Context, program *graph.Program, images graph.Batches, use func(*graph.Outputs) error) error {
	seen := 0
	for out, err := range program.Run(ctx, images) {
		if err != nil {
			return err
		}
		for _, name := range []string{nets.Features, nets.Logits} {
			if !fetched(program, name) && name == nets.Features { // a network without features
				continue
			}
			values := out.Float32(name)
			for i, v := range values {
				if v-v != 0 {
					per := len(values) / out.N
					return fmt.Errorf("image %d: expected finite %s, got %v at index %d", seen+i/per, name, v, i%per)
				}
			}
		}
		if err := use(out); err != nil {
			return err
		}
		seen += out.N
	}
	return nil
}

// Extractor computes the features of sets of pictures, or reads them from a folder where an earlier call left them.
type Extractor struct {
	net     nets.Classifier
	program *graph.Program
	options Options

	// Dir is the folder in which features are kept; it must exist. "" keeps none. A file in it is used only for the
	// same network, weights and pictures; for others it is replaced.
	Dir string
	// Weights identifies the network's weights in that folder, for example by the hash of their file. It must be set
	// if Dir is.
	Weights string
	// Program identifies the code that decodes pictures, for example by the hash of the running program. Hashes of
	// pictures that another program left in that folder are not used.
	Program string

	made time.Time
}

// NewExtractor compiles a network for extraction. Call it before the sets are opened: it trusts remembered hashes of
// files only where the files have not changed since before it was called.
func NewExtractor(net nets.Classifier, o Options) (*Extractor, error) {
	program, err := graph.Compile(net, o.graph())
	if err != nil {
		return nil, err
	}
	return &Extractor{net: net, program: program, options: o, made: time.Now()}, nil
}

// Samples returns the features, logits and labels of a set, read from the folder if they are there. name is the set's
// name in progress, in errors and in the name of its file.
func (x *Extractor) Samples(ctx context.Context, name string, set dataset.Dataset) (posthoc.Samples, error) {
	return x.Find(ctx, set, name)
}

// Find is Samples, but uses features kept under any of the names. New features are kept under the last name.
func (x *Extractor) Find(ctx context.Context, set dataset.Dataset, names ...string) (posthoc.Samples, error) {
	last := names[len(names)-1]
	if x.Dir == "" {
		return x.extract(ctx, last, set)
	}
	source, err := x.source(ctx, last, set)
	if err != nil {
		return posthoc.Samples{}, err
	}
	for _, name := range names {
		if s, ok, err := x.cached(x.path(name), source); err != nil || ok {
			return s, err
		}
	}
	s, err := x.extract(ctx, last, set)
	if err != nil {
		return s, err
	}
	return s, x.keep(x.path(last), source, s)
}

func (x *Extractor) extract(ctx context.Context, name string, set dataset.Dataset) (posthoc.Samples, error) {
	return Extract(ctx, x.program, Images(ctx, name, set, x.net.Preprocessing(), x.options))
}
