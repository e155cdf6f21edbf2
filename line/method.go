package line

import (
	"context"
	"fmt"
	"math"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// Method is LINe as a [posthoc.Method]. It fits and scores from penultimate features and the final layer, by the same
// graph that a [Detector] runs from images.
type Method struct {
	options Options
	graph   graph.Options
	program *graph.Program
	det     *Detector
}

var _ posthoc.Method = (*Method)(nil)

// Parameters of the registered method that switch LINe's steps: 1 is on, 0 is off.
const (
	paramClipping   = "ac"
	paramActivation = "ap"
	paramWeight     = "wp"
	paramPerClass   = "clip_per_class"
)

func init() {
	percentile := func(name, doc string) posthoc.Parameter {
		return posthoc.Parameter{Name: name, Default: 90, Min: 0, Max: 100, Grid: []float64{10, 50, 90}, Doc: doc}
	}
	component := func(name, doc string) posthoc.Parameter {
		return posthoc.Parameter{Name: name, Default: 1, Min: 0, Max: 1, Doc: doc + ": 1 on, 0 off"}
	}
	posthoc.Register(posthoc.Kind{
		Name: "line", Doc: "important neurons and weights of the predicted class, z clipped; energy",
		Source:   "Ahn, Park and Kim, CVPR 2023",
		FittedOn: posthoc.Labels,
		Params: []posthoc.Parameter{
			percentile("p_a", "percent of neurons dropped for each class"),
			percentile("p_w", "percent of last-layer weights dropped for each class"),
			{Name: "clip", Default: 1, Min: 0, Max: math.MaxFloat32, Open: true, Grid: []float64{0.5, 1, 2},
				Doc: "upper bound of activations"},
			{Name: "clip_percentile", Max: 100,
				Doc: "percentile of each neuron's own training activations to clip at instead of clip; 0 for clip"},
			{Name: paramPerClass, Max: 1, Doc: "clip_percentile over the training images of each class: 1 on, 0 off"},
			component(paramClipping, "activation clipping"),
			component(paramActivation, "activation pruning"),
			component(paramWeight, "weight pruning"),
		},
		New: func(p map[string]float64, workers int) (posthoc.Method, error) {
			return NewMethod(optionsOf(p), graph.Options{Workers: workers})
		},
		Part: func(p map[string]float64, workers int) (posthoc.Part, error) {
			o := optionsOf(p)
			return posthoc.Part{Shape: &part{options: o.withDefaults(), workers: workers}}, o.Check()
		},
	})
}

// optionsOf converts the registered method's parameters to options.
func optionsOf(p map[string]float64) Options {
	return Options{
		ActivationPercentile: Percent(p["p_a"]), WeightPercentile: Percent(p["p_w"]), Clip: p["clip"],
		ClipPercentile: p["clip_percentile"], ClipPerClass: p[paramPerClass] != 0,
		NoClipping: p[paramClipping] == 0, NoActivationPruning: p[paramActivation] == 0,
		NoWeightPruning: p[paramWeight] == 0,
	}
}

// NewMethod returns LINe, not yet fitted. o says how its graph is compiled; only Batch, Workers and Device are used.
// An option out of range is an error. posthoc.New("line", ...) makes the same method from named parameters.
func NewMethod(options Options, o graph.Options) (*Method, error) {
	if err := options.Check(); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	o.From, o.Fetch, o.Hooks = "", nil, nil
	return &Method{options: options.withDefaults(), graph: o}, nil
}

// WithSource returns an unfitted copy of the method with another source of contributions; nil stands for
// [GradientActivation].
func (m *Method) WithSource(s Source) *Method {
	other := &Method{options: m.options, graph: m.graph}
	other.options.Source = s
	return other
}

// Name returns "line".
func (m *Method) Name() string { return "line" }

// Params returns p_a, p_w and clip as reports show them; the value is "off" for a step that is switched off.
func (m *Method) Params() map[string]any { return m.options.Params() }

// Detector returns the fitted detector, nil before Fit. Its network is the final layer alone, with the features as
// input. [New] makes a detector of a whole network from its Contributions.
func (m *Method) Detector() *Detector { return m.det }

// Fit measures contributions on labelled samples. Errors are those of [Fit]; after an error the method is unchanged.
func (m *Method) Fit(ctx context.Context, head posthoc.Head, id posthoc.Samples) error {
	if err := head.Validate(); err != nil {
		return fmt.Errorf("line: %w", err)
	}
	if err := checkSamples(id, head.Classes, head.FeatureDim); err != nil {
		return err
	}
	prog, err := graph.Compile(Pipeline{Classifier: newHeadNet(head)}, m.graph)
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

// checkSamples returns an error unless the samples are valid and have that many classes and features.
func checkSamples(s posthoc.Samples, classes, dim int) error {
	if err := s.Validate(); err != nil {
		return fmt.Errorf("line: %w", err)
	}
	if s.Classes != classes || s.FeatureDim != dim {
		return fmt.Errorf("line: expected samples of %d features and %d classes, got %d and %d", dim, classes,
			s.FeatureDim, s.Classes)
	}
	return nil
}

// Score writes the LINe score of each sample to dst.
func (m *Method) Score(ctx context.Context, s posthoc.Samples, dst []float64) error {
	if m.det == nil {
		return fmt.Errorf("line: %w", posthoc.ErrNotFitted)
	}
	if err := checkSamples(s, m.det.net.Classes(), m.det.net.FeatureDim()); err != nil {
		return err
	}
	if len(dst) != s.N {
		return fmt.Errorf("line: expected room for %d scores, got %d", s.N, len(dst))
	}
	scores, err := Collect(ctx, m.program, FeatureBatches(s))
	if err != nil {
		return err
	}
	copy(dst, scores.Score)
	return nil
}

// headNet is a network that consists of the final layer; its input is the features.
type headNet struct {
	classes, dim int
	weight, bias *graph.Param
}

func newHeadNet(h posthoc.Head) *headNet {
	n := &headNet{
		classes: h.Classes, dim: h.FeatureDim,
		weight: graph.NewParam("head.weight", h.Classes, h.FeatureDim), bias: graph.NewParam("head.bias", h.Classes),
	}
	copy(n.weight.Float32s(), h.Weight)
	copy(n.bias.Float32s(), h.Bias)
	return n
}

func (n *headNet) Name() string                      { return "head" }
func (n *headNet) Classes() int                      { return n.classes }
func (n *headNet) FeatureDim() int                   { return n.dim }
func (n *headNet) Head() (weight, bias *graph.Param) { return n.weight, n.bias }
func (n *headNet) Preprocessing() nets.Preprocessing { return nets.Preprocessing{} }
func (n *headNet) InputShape() []int                 { return []int{n.dim} }
func (n *headNet) Params() []*graph.Param            { return []*graph.Param{n.weight, n.bias} }
func (n *headNet) Outputs() []string                 { return []string{nets.Features, nets.Logits} }

func (n *headNet) Build(b *graph.Builder, x *G.Node) error {
	l := b.Tap(nets.Logits, b.Linear(b.Tap(nets.Features, x), "head"))
	b.Tap(nets.Prediction, b.Do(func() (*G.Node, error) { return graph.ArgMax(l) }))
	return b.Err()
}

// FeatureBatches streams samples as batches of features, for programs that start at the features.
func FeatureBatches(s posthoc.Samples) graph.Batches {
	const size = 256
	return func(yield func(graph.Batch, error) bool) {
		for lo := 0; lo < s.N; lo += size {
			hi := min(lo+size, s.N)
			b := graph.Batch{N: hi - lo, X: s.Features[lo*s.FeatureDim : hi*s.FeatureDim]}
			if s.Labels != nil {
				b.Labels = s.Labels[lo:hi]
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}
