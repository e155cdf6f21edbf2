package line

import (
	"context"
	"fmt"
	"slices"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// Method makes LINe comparable with the post-hoc baselines: it fits and scores from the penultimate features on, through the
// same graph that runs from images.
type Method struct {
	net     nets.Classifier
	options Options
	graph   graph.Options
	program *graph.Program
	det     *Detector
}

var _ posthoc.Method = (*Method)(nil)

// NewMethod returns LINe for a network, not yet fitted. o says how its graph is compiled; only Batch, Workers and Device
// matter. An option out of range is an error.
func NewMethod(net nets.Classifier, options Options, o graph.Options) (*Method, error) {
	if err := options.Check(); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	o.From, o.Fetch, o.Hooks = "features", nil, nil
	return &Method{net: net, options: options, graph: o}, nil
}

// Name returns "line".
func (m *Method) Name() string { return "line" }

// Params returns p_a, p_w and clip, "off" for a component that is switched off.
func (m *Method) Params() map[string]any { return m.options.Params() }

// Detector returns the fitted detector, nil before Fit.
func (m *Method) Detector() *Detector { return m.det }

// Fit measures contributions on labelled samples. The head must be the network's own. Errors are those of [Fit]; after one the
// method is as it was before.
func (m *Method) Fit(ctx context.Context, head posthoc.Head, id posthoc.Samples) error {
	if err := id.Validate(); err != nil {
		return fmt.Errorf("line: %w", err)
	}
	if err := m.checkHead(head); err != nil {
		return err
	}
	prog, err := graph.Compile(Pipeline{Classifier: m.net}, m.graph)
	if err != nil {
		return fmt.Errorf("line: %w", err)
	}
	det, err := Fit(ctx, prog, FeatureBatches(id), m.options)
	if err != nil {
		return err
	}
	score, err := det.Compile(m.graph)
	if err != nil {
		return err
	}
	m.det, m.program = det, score
	return nil
}

// checkHead fails unless the head is the network's own: LINe would not notice another.
func (m *Method) checkHead(head posthoc.Head) error {
	if err := head.Validate(); err != nil {
		return fmt.Errorf("line: %w", err)
	}
	if head.Classes != m.net.Classes() || head.Dim != m.net.Dim() {
		return fmt.Errorf("line: head of %d×%d weights, network %s has %d×%d",
			head.Classes, head.Dim, m.net.Name(), m.net.Classes(), m.net.Dim())
	}
	w, b := m.net.Head()
	if !slices.Equal(head.Weight, w.Float32s()) || !slices.Equal(head.Bias, b.Float32s()) {
		return fmt.Errorf("line: the head has other weights than network %s", m.net.Name())
	}
	return nil
}

// Score writes the LINe score of each sample to dst.
func (m *Method) Score(ctx context.Context, s posthoc.Samples, dst []float64) error {
	if m.det == nil {
		return fmt.Errorf("line: %w", posthoc.ErrNotFitted)
	}
	if err := s.Validate(); err != nil {
		return fmt.Errorf("line: %w", err)
	}
	if len(dst) != s.N {
		return fmt.Errorf("line: room for %d scores, expected %d", len(dst), s.N)
	}
	scores, err := Collect(ctx, m.program, FeatureBatches(s))
	if err != nil {
		return err
	}
	copy(dst, scores.Score)
	return nil
}

// FeatureBatches streams samples for programs that start at the features.
func FeatureBatches(s posthoc.Samples) graph.Batches {
	const size = 256
	return func(yield func(graph.Batch, error) bool) {
		for lo := 0; lo < s.N; lo += size {
			hi := min(lo+size, s.N)
			b := graph.Batch{N: hi - lo, X: s.Features[lo*s.Dim : hi*s.Dim]}
			if s.Labels != nil {
				b.Labels = s.Labels[lo:hi]
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}
