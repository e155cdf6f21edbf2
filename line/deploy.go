package line

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// other holds a detector's method where that is not LINe.
type other struct {
	posthoc.Method
	params map[string]float64
}

// FitMethod fits a method other than LINe, made by [posthoc.New] with params, to samples of a network. It returns the
// method as a detector, which can be saved, loaded and used to score pictures like one of LINe. For
// [Detector.Threshold] the detector keeps the scores of the samples, of an evenly drawn 65,536 where there are more.
//
// It returns an error for LINe itself, for which there is [Fit], for a method that needs more of a picture than
// features and logits, and where the method does.
func FitMethod(ctx context.Context, net nets.Classifier, name string, params map[string]float64,
	fit posthoc.Samples) (*Detector, error) {
	m, err := newOther(name, params)
	if err != nil {
		return nil, err
	}
	if err := m.Fit(ctx, nets.HeadOf(net), fit); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	if _, err := posthoc.State(m.Method); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	const most = 1 << 16
	if fit.N > most {
		indices := make([]int, most)
		for i := range indices {
			indices[i] = i * fit.N / most
		}
		fit = fit.Subset(indices)
	}
	scores := make([]float64, fit.N)
	if err := m.Score(ctx, fit, scores); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	slices.Sort(scores)
	d := &Detector{net: net, other: m, fitScores: scores}
	if p := net.Preprocessing(); p.Check() == nil {
		d.preprocessing = p
	}
	return d, nil
}

func newOther(name string, params map[string]float64) (*other, error) {
	m, err := posthoc.New(name, posthoc.Options{Params: params})
	if err != nil {
		return nil, err
	}
	if m.Name() == "line" {
		return nil, fmt.Errorf("line: LINe is fitted to images: expected Fit, got FitMethod")
	}
	if n, ok := m.(posthoc.Needing); ok && len(n.Needs()) > 0 {
		return nil,
			fmt.Errorf("line: %s: expected a method that needs features and logits alone, got one that needs %s of "+
				"each picture", name, strings.Join(n.Needs(), ", "))
	}
	return &other{m, maps.Clone(params)}, nil
}

// Method returns the name of the detector's method: "line", or what [FitMethod] was given.
func (d *Detector) Method() string {
	if d.other != nil {
		return d.other.Name()
	}
	return "line"
}

// Params returns the parameters of the detector's method, as reports show them.
func (d *Detector) Params() map[string]any {
	if d.other != nil {
		return d.other.Params()
	}
	return d.options.Params()
}

// compileOther makes a program that fetches what the method needs from the network.
func (d *Detector) compileOther(o graph.Options) (*graph.Program, error) {
	if len(o.Fetch) == 0 {
		o.Fetch = d.RequiredNodes()
	}
	return graph.Compile(d.net, o)
}

// Collect runs a program that [Detector.Compile] made without Fetch, and returns the scores and predictions of all
// images. A stream without images is an error that wraps [ErrNoImages]; a score that is NaN is an error that names
// the image, counted from 0.
func (d *Detector) Collect(ctx context.Context, program *graph.Program, images graph.Batches) (*Scores, error) {
	all := &Scores{}
	for s, err := range d.batches(ctx, program, images) {
		if err != nil {
			return nil, err
		}
		all.Score = append(all.Score, s.Score...)
		all.Prediction = append(all.Prediction, s.Prediction...)
		all.Label = append(all.Label, s.Label...)
	}
	if len(all.Score) == 0 {
		return nil, fmt.Errorf("line: score: %w", ErrNoImages)
	}
	return all, nil
}

// Sample is the result for one image.
type Sample struct {
	Score      float64 // higher is more in-distribution
	Prediction int     // the class that the network predicts
	Label      int     // -1 where unknown
}

// Stream runs a program that [Detector.Compile] made without Fetch, and yields the result of each image, in order, as
// soon as its batch is done. An error is yielded last; errors are those of [Detector.Collect].
func (d *Detector) Stream(ctx context.Context, program *graph.Program, images graph.Batches) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		any := false
		for s, err := range d.batches(ctx, program, images) {
			if err != nil {
				yield(Sample{}, err)
				return
			}
			for i, v := range s.Score {
				any = true
				if !yield(Sample{Score: v, Prediction: s.Prediction[i], Label: s.Label[i]}, nil) {
					return
				}
			}
		}
		if !any {
			yield(Sample{}, fmt.Errorf("line: score: %w", ErrNoImages))
		}
	}
}

// batches yields the scores of each batch of a stream.
func (d *Detector) batches(ctx context.Context, program *graph.Program, images graph.Batches) iter.Seq2[*Scores,
	error] {
	return func(yield func(*Scores, error) bool) {
		seen := 0
		for out, err := range program.Run(ctx, images) {
			var s *Scores
			if err == nil {
				s, err = d.ScoresOf(ctx, out)
			}
			if err != nil {
				yield(nil, fmt.Errorf("line: %w", err))
				return
			}
			for i, v := range s.Score {
				if v != v {
					yield(nil, fmt.Errorf("line: score of image %d is NaN", seen+i))
					return
				}
			}
			seen += out.N
			if !yield(s, nil) {
				return
			}
		}
	}
}

// RequiredNodes returns the names of the nodes of the network that [Detector.ScoresOf] reads. A program of
// [Detector.Compile] fetches these nodes by default. To fetch further nodes in the same run, pass these names and the
// further ones as Fetch.
func (d *Detector) RequiredNodes() []string {
	switch {
	case d.other == nil:
		return []string{Score, nets.Prediction}
	case d.net.FeatureDim() == 0:
		return []string{nets.Logits}
	}
	return []string{nets.Logits, nets.Features}
}

// ScoresOf returns the scores of one batch from outputs that hold at least the nodes of [Detector.RequiredNodes]. A
// score may be NaN or infinite. The labels are those of the outputs.
func (d *Detector) ScoresOf(ctx context.Context, out *graph.Outputs) (*Scores, error) {
	s := &Scores{Score: make([]float64, out.N), Label: slices.Clone(out.Labels)}
	if d.other == nil {
		for i, v := range out.Float32(Score) {
			s.Score[i] = float64(v)
		}
		s.Prediction = slices.Clone(out.Ints(nets.Prediction))
		return s, nil
	}
	samples := posthoc.Samples{N: out.N, FeatureDim: d.net.FeatureDim(), Classes: d.net.Classes(),
		Logits: out.Float32(nets.Logits)}
	if samples.FeatureDim > 0 {
		samples.Features = out.Float32(nets.Features)
	}
	s.Prediction = samples.Predictions()
	return s, d.other.Score(ctx, samples, s.Score)
}

// Arrays in the file of a detector whose method is not LINe.
const (
	methodArray = "method"
	paramsArray = "method_params" // JSON
	statePrefix = "state/"
)

// arraysOfOther returns, in order, the arrays of the file of a detector whose method is not LINe.
func (d *Detector) arraysOfOther() ([]npyz.Named, error) {
	state, err := posthoc.State(d.other.Method)
	if err != nil {
		return nil, err
	}
	params, err := json.Marshal(d.other.params)
	if err != nil {
		return nil, err
	}
	arrays := []npyz.Named{
		{Name: "format", Array: npyz.Scalar(fileFormat)},
		{Name: "version", Array: npyz.Scalar(int64(Version))},
		{Name: "network", Array: npyz.Scalar(d.net.Name())},
		{Name: "fingerprint", Array: npyz.Scalar(Fingerprint(d.net))},
		{Name: "classes", Array: npyz.Scalar(int64(d.net.Classes()))},
		{Name: methodArray, Array: npyz.Scalar(d.other.Name())},
		{Name: paramsArray, Array: npyz.Scalar(string(params))},
	}
	for _, name := range slices.Sorted(maps.Keys(state)) {
		a, err := stateArray(state[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		arrays = append(arrays, npyz.Named{Name: statePrefix + name, Array: a})
	}
	// without a known preprocessing Marshal fails, and the array is left out
	if text, err := json.Marshal(d.preprocessing); err == nil {
		arrays = append(arrays, npyz.Named{Name: preprocessingArray, Array: npyz.Scalar(string(text))})
	}
	arrays = append(arrays, npyz.Named{Name: fitScoresArray, Array: npyz.New(d.fitScores)})
	arrays = append(arrays, d.calibrationArrays()...)
	network, err := networkArrays(d.net)
	if err != nil {
		return nil, fmt.Errorf("line: write detector: %w", err)
	}
	return append(arrays, network...), nil
}

func stateArray(v any) (npyz.Array, error) {
	switch v := v.(type) {
	case float64:
		return npyz.Scalar(v), nil
	case int:
		return npyz.Scalar(int64(v)), nil
	case []float64:
		return npyz.New(v), nil
	case []float32:
		return npyz.New(v), nil
	case []int32:
		return npyz.New(v), nil
	case []int:
		wide := make([]int64, len(v))
		for i, x := range v {
			wide[i] = int64(x)
		}
		return npyz.New(wide), nil
	}
	return npyz.Array{}, fmt.Errorf("a %T cannot be kept", v)
}

// decodeOther reads a method other than LINe from a file.
func decodeOther(a *npyz.Archive, net nets.Classifier) (*other, error) {
	name, err := a.String(methodArray)
	if err != nil {
		return nil, err
	}
	text, err := a.String(paramsArray)
	if err != nil {
		return nil, err
	}
	var params map[string]float64
	if err := json.Unmarshal([]byte(text), &params); err != nil {
		return nil, fmt.Errorf("array %q: %w", paramsArray, err)
	}
	m, err := newOther(name, params)
	if err != nil {
		return nil, err
	}
	state := map[string]any{}
	for _, key := range a.Names() {
		field, ok := strings.CutPrefix(key, statePrefix)
		if !ok {
			continue
		}
		array, err := a.Get(key)
		if err != nil {
			return nil, err
		}
		if state[field], err = stateValue(array); err != nil {
			return nil, fmt.Errorf("array %q: %w", key, err)
		}
	}
	return m, posthoc.Restore(m.Method, nets.HeadOf(net), state)
}

func stateValue(a npyz.Array) (any, error) {
	scalar := len(a.Shape) == 0
	switch v := a.Data.(type) {
	case []float64:
		for i, x := range v {
			if x-x != 0 {
				return nil, fmt.Errorf("it holds %v at index %d", x, i)
			}
		}
		if scalar {
			return v[0], nil
		}
		return v, nil
	case []float32:
		for i, x := range v {
			if x-x != 0 {
				return nil, fmt.Errorf("it holds %v at index %d", x, i)
			}
		}
		return v, nil
	case []int32:
		return v, nil
	case []int64:
		if scalar {
			return int(v[0]), nil
		}
		out := make([]int, len(v))
		for i, x := range v {
			out[i] = int(x)
		}
		return out, nil
	}
	return nil, fmt.Errorf("it has shape %v of %s, which no method keeps", a.Shape, a.TypeName())
}
