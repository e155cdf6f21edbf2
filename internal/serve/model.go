package serve

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
)

// Answer is a model's result for one image.
type Answer struct {
	line.Result
	// Neurons holds as many important neurons as the request asks for, the largest contribution first.
	Neurons []Neuron
}

// Neuron is a penultimate neuron that contributes to the predicted class.
type Neuron struct {
	Index int `json:"index"`
	// Contribution is gradient × activation for the logit of the predicted class.
	Contribution float32 `json:"contribution"`
}

// model is a detector that is being served: loaded, compiled, and with runners.
type model struct {
	Loaded
	engine
	input        []int // shape of one image
	size         int   // number of elements of one image
	prepares     nets.Preprocessing
	many, single *graph.Program
	preparers    sync.Pool // of *dataset.Preprocessor
	batches      sync.Pool // of *[]float32, the input of a batch
	stats        *modelMetrics
	users        sync.WaitGroup // requests that use the model
}

// newModel compiles a detector, runs it once and starts its runners.
func newModel(ctx context.Context, loaded Loaded, c Config, r *room, m *metrics) (*model, error) {
	det := loaded.Detector
	o := c.Graph
	if loaded.Graph != nil {
		o = *loaded.Graph
	}
	o.Fetch = det.RequiredNodes()
	if det.Network().FeatureDim() > 0 && !slices.Contains(o.Fetch, nets.Features) {
		o.Fetch = append(slices.Clone(o.Fetch), nets.Features)
	}
	out := &model{Loaded: loaded, input: det.Network().InputShape(), size: 1, prepares: det.Preprocessing()}
	for _, n := range out.input {
		out.size *= n
	}
	if n := len(loaded.Classes); n != 0 && n != det.Network().Classes() {
		return nil, fmt.Errorf("serve: expected names of %d classes, got %d", det.Network().Classes(), n)
	}
	if _, err := dataset.NewPreprocessor(out.prepares); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	var err error
	if out.many, err = det.Compile(o); err != nil {
		return nil, err
	}
	o = out.many.Options()
	out.single = out.many
	if o.Batch > 1 {
		few := o
		few.Batch = 1
		if out.single, err = det.Compile(few); err != nil {
			return nil, err
		}
	}
	for _, n := range []int{1, o.Batch} { // so that the first request need not wait for allocations
		if _, err := out.compute(ctx, slices.Repeat([]job{{x: make([]float32, out.size)}}, n)); err != nil {
			return nil, err
		}
	}
	out.stats = m.of(loaded)
	out.engine = engine{queue: make(chan job, c.Queue), room: r, most: o.Batch, delay: c.Delay, compute: out.compute,
		metrics: m}
	out.start(o.Workers)
	return out, nil
}

// compute runs a batch through the network and judges it.
func (m *model) compute(ctx context.Context, batch []job) ([]Answer, error) {
	prog, det := m.many, m.Detector
	if 2*len(batch) <= prog.Options().Batch { // running the large program costs a full batch, even where it is not full
		prog = m.single
	}
	x, done := m.join(batch)
	defer done()
	answers := make([]Answer, 0, len(batch))
	stream := func(yield func(graph.Batch, error) bool) { yield(graph.Batch{X: x, N: len(batch)}, nil) }
	for out, err := range prog.Run(ctx, stream) {
		if err != nil {
			return nil, err
		}
		s, err := det.ScoresOf(ctx, out)
		if err != nil {
			return nil, err
		}
		var features []float32
		if det.Network().FeatureDim() > 0 {
			features = out.Float32(nets.Features)
		}
		for i, score := range s.Score {
			if math.IsNaN(score) || math.IsInf(score, 0) {
				return nil,
					badRequest("score: expected a finite number, got %v: the input is too large for the network",
						score)
			}
			a := Answer{Result: det.Judge(score, s.Prediction[i])}
			if dim := det.Network().FeatureDim(); features != nil && batch[i].neurons > 0 {
				a.Neurons = m.important(features[i*dim:][:dim], s.Prediction[i], batch[i].neurons)
			}
			answers = append(answers, a)
		}
	}
	return answers, nil
}

// join returns the input of a batch, in memory that is used again when the caller is done.
func (m *model) join(batch []job) (x []float32, done func()) {
	buf, _ := m.batches.Get().(*[]float32)
	if buf == nil {
		made := make([]float32, 0, m.many.Options().Batch*m.size)
		buf = &made
	}
	x = (*buf)[:0]
	for _, j := range batch {
		x = append(x, j.x...)
	}
	*buf = x
	return x, func() { m.batches.Put(buf) }
}

// important returns the neurons that contribute most to the logit of a class, n at most, of those that LINe keeps for
// it: gradient × activation, which on a linear last layer is the product of weight and feature.
func (m *model) important(features []float32, class, n int) []Neuron {
	weight, _ := m.Detector.Network().Head()
	if weight == nil {
		return nil
	}
	row := weight.Float32s()[class*len(features):][:len(features)]
	var kept []bool
	if m.Detector.Contributions() != nil {
		kept = m.Detector.ActiveNeurons(class)
	}
	all := make([]Neuron, 0, len(features))
	for i, z := range features {
		if kept == nil || kept[i] {
			all = append(all, Neuron{i, z * row[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b Neuron) int {
		switch {
		case a.Contribution > b.Contribution:
			return -1
		case a.Contribution < b.Contribution:
			return 1
		}
		return 0
	})
	return all[:min(n, len(all))]
}

// prepare preprocesses a picture and returns the network's input.
func (m *model) prepare(img dataset.Image) ([]float32, error) {
	channels, height, width := 0, 0, 0
	if len(m.input) == 3 {
		channels, height, width = m.prepares.Layout.Split(m.input)
	}
	if channels != 3 {
		return nil, badRequest("the network takes input of shape %v, which no picture is: send a tensor", m.input)
	}
	p, _ := m.preparers.Get().(*dataset.Preprocessor)
	if p == nil {
		var err error
		if p, err = dataset.NewPreprocessor(m.prepares); err != nil {
			return nil, err
		}
	}
	h, w, err := p.Size(img.Height, img.Width)
	if err != nil {
		return nil, badRequest("%w", err)
	}
	if h != height || w != width {
		return nil,
			badRequest("picture of %d×%d pixels: expected %d×%d after preprocessing, got %d×%d (width × height)",
				img.Width, img.Height, width, height, w, h)
	}
	x := make([]float32, m.size)
	if err := p.Apply(x, img); err != nil {
		return nil, badRequest("%w", err)
	}
	m.preparers.Put(p)
	return x, nil
}

// className returns the name of class k, "" where it is not known.
func (m *model) className(k int) string {
	if k < len(m.Classes) {
		return m.Classes[k]
	}
	return ""
}

// judged tells whether the model gives verdicts.
func (m *model) judged() bool {
	_, err := m.Detector.FitThreshold()
	return err == nil || m.calibrated()
}

func (m *model) calibrated() bool {
	_, err := m.Detector.Calibrator()
	return err == nil
}
