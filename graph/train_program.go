package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// Logits is the usual name of the node of unnormalised class scores, [batch, classes].
const Logits = "logits"

// TrainingOptions says how to compile a model for training.
type TrainingOptions struct {
	// Batch is the number of samples of a step, at least 1.
	Batch int
	// Shard is the number of samples that run together, which must divide Batch; 0 means Batch. Batch norm takes its
	// statistics from a shard (the ghost batches of Hoffer et al., NeurIPS 2017), so results depend on Shard. With
	// Shard equal to Batch they are those of PyTorch on one device.
	Shard int
	// Workers is the number of shards that run side by side; 0 means GOMAXPROCS. Results do not depend on it.
	Workers int
	// Logits names the node [batch, classes] whose cross-entropy is the loss; "" means [Logits].
	Logits string
	// Momentum is the weight of the newest batch in the running statistics of batch norm; 0 means 0.1, PyTorch's
	// default.
	Momentum float64
	// Device is where the gradients are computed: CPU (the default), CUDA, or "cuda:N" for card N. The optimiser's
	// steps are computed on the processor.
	Device Device

	apart bool // operations neither watch each other nor add what others could: a test compares
}

func (o TrainingOptions) withDefaults() (TrainingOptions, error) {
	_, onCard, err := o.Device.card()
	if err != nil {
		return o, err
	}
	if o.Workers == 0 && onCard {
		o.Workers = cardWorkers
	}
	if o.Shard == 0 {
		o.Shard = o.Batch
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Logits == "" {
		o.Logits = Logits
	}
	if o.Momentum == 0 {
		o.Momentum = 0.1
	}
	switch {
	case o.Batch < 1:
		return o, fmt.Errorf("expected a batch of at least 1 sample, got %d", o.Batch)
	case o.Shard < 1 || o.Batch%o.Shard != 0:
		return o, fmt.Errorf("shard: expected a divisor of the batch of %d samples, got %d", o.Batch, o.Shard)
	case o.Workers < 1:
		return o, fmt.Errorf("expected at least 1 worker, got %d", o.Workers)
	case !(o.Momentum > 0 && o.Momentum <= 1):
		return o, fmt.Errorf("expected momentum of running statistics in (0, 1], got %v", o.Momentum)
	}
	o.Workers = min(o.Workers, o.Batch/o.Shard)
	return o, nil
}

// TrainingBatch is the input of one step of training.
type TrainingBatch struct {
	// X holds the samples [Batch, InputShape...], row-major.
	X []float32
	// Targets holds a distribution over the classes for each sample: [Batch, classes].
	Targets []float32
	// Seeds holds one seed per sample for dropout. It may be nil where the model has none.
	Seeds []int
}

// TrainingResult is the result of one run of a [TrainingProgram].
type TrainingResult struct {
	// Loss is the mean cross-entropy of the batch.
	Loss float64
	// Logits holds the logits of the samples, [Batch, classes], from the network as it trains: with dropout and the
	// statistics of the batch. It is valid until the next run.
	Logits []float32
}

// TrainingProgram is a model compiled for training: it computes the gradients of a batch's mean loss by all trained
// parameters. Each run uses the present values of the parameters. A TrainingProgram is not safe for concurrent use.
type TrainingProgram struct {
	options  TrainingOptions
	params   []*Param
	norms    []normLayer
	sizes    []int // number of elements of each result of a shard: the gradients, then the moments of the norms
	input    int   // elements per sample
	classes  int
	replicas []*trainReplica
	shards   [][][]float32 // [shard][result][element]
	grads    [][]float32
	losses   []float32
	logits   []float32
	card     *accelerator // nil on the processor
}

// CompileTraining builds the model's graph for training once per replica, with the loss and the gradients by every
// parameter that is not a buffer.
func CompileTraining(m Model, o TrainingOptions) (*TrainingProgram, error) {
	if m == nil {
		return nil, errors.New("graph: expected a model, got nil")
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	p := &TrainingProgram{options: o, input: tensor.Shape(m.InputShape()).TotalSize()}
	for _, q := range m.Params() {
		if q != nil && !q.Buffer {
			p.params = append(p.params, q)
			p.grads = append(p.grads, make([]float32, len(q.Float32s())))
			p.sizes = append(p.sizes, len(q.Float32s()))
		}
	}
	if p.card, err = openAccelerator(o.Device); err != nil {
		return nil, fmt.Errorf("graph: training: %w", err)
	}
	if p.card != nil {
		runtime.AddCleanup(p, func(c *accelerator) { _ = c.close() }, p.card)
	}
	shared := newStore()
	for range o.Workers {
		r, err := newTrainReplica(m, o, p.params, shared, p.card)
		if err != nil {
			_ = p.card.close()
			return nil, fmt.Errorf("graph: training: %w", err)
		}
		p.replicas = append(p.replicas, r)
	}
	r := p.replicas[0]
	p.classes, p.norms = r.classes, r.b.training.layers
	for _, l := range p.norms {
		p.sizes = append(p.sizes, 2*len(l.mean.Float32s()))
	}
	for range o.Batch / o.Shard {
		var shard [][]float32
		for _, size := range p.sizes {
			shard = append(shard, make([]float32, size))
		}
		p.shards = append(p.shards, shard)
	}
	p.losses, p.logits = make([]float32, o.Batch), make([]float32, o.Batch*p.classes)
	return p, nil
}

// Close frees what the program holds on a card; a program on the processor holds nothing that must be freed. The
// program must not run again.
func (p *TrainingProgram) Close() error {
	if err := p.card.close(); err != nil {
		return fmt.Errorf("graph: training: %w", err)
	}
	return nil
}

// Options returns the options that the program was compiled with, defaults filled in.
func (p *TrainingProgram) Options() TrainingOptions { return p.options }

// Classes returns the number of classes of the logits.
func (p *TrainingProgram) Classes() int { return p.classes }

// Params returns the trained parameters in the order of the model.
func (p *TrainingProgram) Params() []*Param { return p.params }

// Gradients returns the gradient of the last run's mean loss by each parameter of Params. The next run reuses the
// slices, and the caller may change them.
func (p *TrainingProgram) Gradients() [][]float32 { return p.grads }

// Run computes the loss and the gradients of a batch and updates the running statistics of batch norm. The bits do not
// depend on the number of replicas, because the gradients of the shards are added in the order of the samples.
func (p *TrainingProgram) Run(ctx context.Context, batch TrainingBatch) (TrainingResult, error) {
	if err := p.check(batch); err != nil {
		return TrainingResult{}, fmt.Errorf("graph: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for first, r := range p.replicas {
		r.b.training.run++
		group.Go(func() error {
			for shard := first; shard < len(p.shards); shard += len(p.replicas) {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := p.runShard(r, shard, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return TrainingResult{}, err
	}
	p.reduce()
	var loss float64
	for _, l := range p.losses {
		loss += float64(l)
	}
	return TrainingResult{Loss: loss / float64(len(p.losses)), Logits: p.logits}, nil
}

func (p *TrainingProgram) check(b TrainingBatch) error {
	n := p.options.Batch
	switch {
	case len(b.X) != n*p.input:
		return fmt.Errorf("training batch: expected %d samples of %d values, got %d values", n, p.input, len(b.X))
	case len(b.Targets) != n*p.classes:
		return fmt.Errorf("training batch: expected targets for %d samples of %d classes, got %d", n, p.classes,
			len(b.Targets))
	case p.replicas[0].b.training.seeds != nil && len(b.Seeds) != n:
		return fmt.Errorf("training batch: expected a seed of dropout for each of %d samples, got %d", n,
			len(b.Seeds))
	}
	return nil
}

func (p *TrainingProgram) runShard(r *trainReplica, shard int, batch TrainingBatch) error {
	n := p.options.Shard
	lo := shard * n
	copy(r.b.input.Value().Data().([]float32), batch.X[lo*p.input:][:n*p.input])
	copy(r.target.Value().Data().([]float32), batch.Targets[lo*p.classes:][:n*p.classes])
	if seeds := r.b.training.seeds; seeds != nil {
		copy(seeds.Value().Data().([]int), batch.Seeds[lo:][:n])
	}
	r.logits.dst, r.loss.dst = p.logits[lo*p.classes:][:n*p.classes], p.losses[lo:][:n]
	for i, s := range r.sinks {
		s.dst = p.shards[shard][i]
	}
	if err := r.runAll(); err != nil {
		return fmt.Errorf("graph: training: samples %d to %d: %w", lo, lo+n-1, err)
	}
	return nil
}

// reduce adds up the results of the shards, always in the same order.
func (p *TrainingProgram) reduce() {
	for i, g := range p.grads {
		copy(g, p.shards[0][i])
		for _, s := range p.shards[1:] {
			kernel.AddTo(g, s[i])
		}
	}
	for i, l := range p.norms {
		p.moveStatistics(l, len(p.grads)+i)
	}
}

// moveStatistics moves the running statistics of a norm towards those of the whole batch. These follow from the shards'
// means and variances; the variance is unbiased, as in PyTorch.
func (p *TrainingProgram) moveStatistics(l normLayer, at int) {
	mean, variance := l.mean.Float32s(), l.variance.Float32s()
	channels, shards := len(mean), float64(len(p.shards))
	n := shards * float64(l.count)
	for c := range channels {
		var m, v float64
		for _, s := range p.shards {
			m += float64(s[at][c])
		}
		m /= shards
		for _, s := range p.shards {
			d := float64(s[at][c]) - m
			v += float64(s[at][channels+c]) + d*d
		}
		v *= float64(l.count) / max(n-1, 1)
		mean[c] += float32(p.options.Momentum) * (float32(m) - mean[c])
		variance[c] += float32(p.options.Momentum) * (float32(v) - variance[c])
	}
}

// trainReplica is one copy of the training graph with its machine.
type trainReplica struct {
	replica
	target       *G.Node
	classes      int
	logits, loss *shardSink
	sinks        []*shardSink // gradients, then moments
}

// shardSink is a function that copies its input to the results of a shard.
type shardSink struct {
	leaf
	dst []float32
}

func (s *shardSink) forward(_ G.Value, in []G.Value) error {
	a, err := arrayOf[float32](in[0])
	if err != nil {
		return err
	}
	for i := range a.n {
		copy(s.dst[i*a.size:], a.sample(i))
	}
	return nil
}

func newTrainReplica(m Model, o TrainingOptions, params []*Param, shared *store,
	card *accelerator) (*trainReplica, error) {
	building.Lock()
	defer building.Unlock()
	b := newBuilder(m.Params(), Options{Batch: o.Shard, Dtype: tensor.Float32}, shared)
	b.training = &training{norms: map[*G.Node]normNode{}}
	b.input = b.inputNode("input", tensor.Float32, m.InputShape()...)
	if b.err == nil {
		if err := m.Build(b, b.input); err != nil {
			return nil, err
		}
	}
	logits, err := b.Node(o.Logits)
	if err != nil {
		return nil, err
	}
	if err := wantDims("loss", 2, logits); err != nil {
		return nil, err
	}
	r := &trainReplica{replica: replica{b: b}, classes: logits.Shape()[1]}
	r.target = b.inputNode("targets", tensor.Float32, r.classes)
	loss := b.Do(func() (*G.Node, error) { return CrossEntropy(logits, r.target) })
	seed := b.Constant("1/batch", func() []float64 {
		v := make([]float64, o.Shard)
		for i := range v {
			v[i] = 1 / float64(o.Batch)
		}
		return v
	}, o.Shard)
	wrt := make(G.Nodes, len(params))
	for i, p := range params {
		wrt[i] = b.Param(p.Name)
	}
	if b.err != nil {
		return nil, b.err
	}
	results, err := gradients(G.Nodes{loss}, G.Nodes{seed}, wrt, card == nil && !o.apart)
	if err != nil {
		return nil, err
	}
	for _, l := range b.training.layers {
		n, err := moments(l.node)
		if err != nil {
			return nil, err
		}
		results = append(results, n)
	}
	var sinks G.Nodes
	sink := func(n *G.Node) *shardSink {
		s := &shardSink{}
		var node *G.Node
		if node, err = apply("Fetch", s, n.Dtype(), n.Shape(), n); err == nil {
			// nothing reads it
			node.Op().(*op).out = &planes[float32]{in: &buffer[float32]{}, shape: tensor.Shape{0, 0, 0, 0}}
			sinks = append(sinks, node)
		}
		return s
	}
	r.logits, r.loss = sink(logits), sink(loss)
	for _, n := range results {
		if err == nil {
			r.sinks = append(r.sinks, sink(n))
		}
	}
	if err != nil {
		return nil, err
	}
	r.order = ancestry(sinks)
	if card == nil && !o.apart {
		attend(r.order)
	} else if card != nil {
		if r.place, err = newPlacement(card, r.order); err != nil {
			return nil, err
		}
	}
	return r, r.compile(Options{}, sinks)
}
