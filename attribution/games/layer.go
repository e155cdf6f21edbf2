package games

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/mathx"
)

// LayerOptions says which game is played on the neurons of a layer. With only Layer set, the value is the logit of
// the predicted class, every neuron is a player, and absent neurons are zero.
type LayerOptions struct {
	// Layer is the name of the tapped node (see package graph) whose activations are the players, for example
	// "features", "trans2" or "block1". The error for an unknown name lists the names that the network has.
	Layer string
	// Value is what is read off the node "logits". Nil and the constants of [attribution.Value] are computed in the
	// graph. Any other function is called with the logits that the graph returned; its gradient, where it has one,
	// takes a second run, since the first finds the logits at which the gradient is taken.
	Value attribution.ValueFunction
	// Output, unless empty, replaces Value: it names a node with one number per sample that is the game's value, for
	// example a detector's "score".
	Output string
	// Target is the class that Value is about. With Output it is handed to the graph as the sample's label.
	Target attribution.Target
	// Removal says what absent neurons become; its rows hold one number for each neuron of the layer, row-major. The
	// rows are kept in float32, once for all games.
	Removal attribution.Removal
	// Channels makes each channel of a [channels, height, width] layer a player. Groups makes each group of neurons
	// one, given by their row-major indices, disjoint; neurons in no group are always present.
	Channels bool
	Groups   [][]int
	// Names holds one name for each player, or nil.
	Names []string
	// Graph says how the graphs are compiled, in float32: Batch is the number of coalitions that run at once, 0 for a
	// choice by the size of the layer.
	Graph graph.Options
}

// smallLayer is the number of neurons up to which so little of the network is left behind a layer that the fixed cost
// of a run shows. Batches of more coalitions then make up for it.
const smallLayer = 1 << 16

// Layer plays games on one layer of a network. Each coalition is a row of a mask that enters the graph behind the
// layer; only what comes after it is run. It is compiled once and serves any number of samples.
type Layer struct {
	opt           LayerOptions
	shape         []int // of the layer, one sample
	size, players int
	removed       []float32 // [rows, neurons]: the activations that removed neurons may get
	byRow         bool      // each row of a batch names its row of removed
	// neurons are the players, so that coalitions enter the graph as bits instead of masks
	byBits    bool
	front     *graph.Program            // input → activations, logits
	own       attribution.ValueFunction // the value, where it is computed from logits outside the graph
	classes   int
	values    *graph.Program                 // activations, mask → value, or logits with own
	points    func() (*graph.Program, error) // the same with masks between 0 and 1
	gradients func() (*graph.Program, error)
	logits    func() (*graph.Program, error) // activations, mask → logits
	interacts atomic.Bool                    // players were seen to interact before the logits
	forwards  float64                        // cost of a value in forward passes
	spare     sync.Pool                      // of *layerBatch
	spareBits sync.Pool                      // of *layerBatch without masks
}

// Names of the nodes that a layer game adds to its network.
const (
	layerValue    = "attribution_value"
	layerGradient = "attribution_gradient"
	// weights of the logits: the gradient of the user's own value function at the logits
	layerSlope   = "attribution_slope"
	layerMask    = "mask"
	layerRemoved = "removed"
	layerRow     = "row"
)

// NewLayer compiles the games of a layer of the network. It errors when the network has no such node, groups or removal
// do not fit it, a removal is not finite, or the value does not depend on the layer.
func NewLayer(net graph.Model, opt LayerOptions) (*Layer, error) {
	l := &Layer{opt: opt}
	l.opt.Value = orLogit(opt.Value)
	if _, known := l.opt.Value.(attribution.Value); !known && opt.Output == "" {
		l.own = l.opt.Value
	}
	if err := l.compileFront(net); err != nil {
		return nil, fmt.Errorf("attribution: layer %q: %w", opt.Layer, err)
	}
	group, err := l.grouping()
	if err != nil {
		return nil, fmt.Errorf("attribution: layer %q of shape %v: %w", opt.Layer, l.shape, err)
	}
	l.classes = l.front.Shape(graph.Logits)[0]
	if opt.Output == "" {
		if err := attribution.CheckValue(l.opt.Value, l.classes); err != nil {
			return nil, fmt.Errorf("layer %q: %w", opt.Layer, err)
		}
	}
	if err := opt.Removal.Check(l.classes, l.size); err != nil {
		return nil, fmt.Errorf("layer %q of shape %v: %w", opt.Layer, l.shape, err)
	}
	for _, row := range opt.Removal.Rows(l.size) {
		for _, v := range row {
			l.removed = append(l.removed, float32(v))
		}
	}
	_, background := opt.Removal.InClass(0)
	l.byRow = background > 1
	o := opt.Graph
	o.Dtype = tensor.Float32
	o.From, o.BroadcastInput = opt.Layer, true
	l.byBits = !opt.Channels && opt.Groups == nil
	hook := func(byBits bool) map[string]graph.Hook {
		return map[string]graph.Hook{opt.Layer: func(b *graph.Builder, present *G.Node) (*G.Node, error) {
			removed := b.SharedInput(layerRemoved, append([]int{background}, l.shape...)...)
			var mask, row *G.Node
			if byBits {
				mask = b.BitInput(layerMask, l.players)
			} else {
				mask = b.Input(layerMask, l.players)
			}
			if l.byRow {
				row = b.Input(layerRow)
			}
			return b.Do(func() (*G.Node, error) {
				switch {
				case byBits && l.byRow:
					return graph.MixRowsBits(mask, present, removed, row)
				case byBits:
					return graph.MixBits(mask, present, removed)
				case l.byRow:
					return graph.MixRows(mask, present, removed, row, group)
				default:
					return graph.Mix(mask, present, removed, group)
				}
			}), b.Err()
		}}
	}
	o.Hooks = hook(l.byBits)
	if o.Batch == 0 && l.size <= smallLayer {
		o.Batch = 2 * graph.DefaultBatch
	}
	o.Fetch = []string{layerValue}
	model := layerModel{net, l}
	if l.values, err = graph.Compile(model, o); err != nil {
		return nil, fmt.Errorf("attribution: layer %q: %w", opt.Layer, err)
	}
	masked := func(fetch ...string) func() (*graph.Program, error) {
		o := o
		o.Hooks, o.Fetch = hook(false), fetch
		return sync.OnceValues(func() (*graph.Program, error) { return graph.Compile(model, o) })
	}
	l.points, l.gradients = masked(layerValue), masked(layerValue, layerGradient)
	l.logits = masked(graph.Logits)
	l.forwards = l.values.EstimatedSeconds() / l.front.EstimatedSeconds()
	return l, nil
}

func (l *Layer) compileFront(net graph.Model) (err error) {
	o := l.opt.Graph
	o.Dtype, o.From, o.BroadcastInput, o.Hooks = tensor.Float32, "", false, nil
	o.Fetch = []string{l.opt.Layer, graph.Logits}
	if l.front, err = graph.Compile(net, o); err != nil {
		return err
	}
	l.shape = l.front.Shape(l.opt.Layer)
	l.size = 1
	for _, s := range l.shape {
		l.size *= s
	}
	return nil
}

// grouping sets the number of players and returns the player of each neuron.
func (l *Layer) grouping() ([]int, error) {
	group := make([]int, l.size)
	switch {
	case l.opt.Channels && l.opt.Groups != nil:
		return nil, fmt.Errorf("expected players that are channels or groups, got both")
	case l.opt.Channels:
		l.players = l.shape[0]
		for i := range group {
			group[i] = i / (l.size / l.players)
		}
	case l.opt.Groups != nil:
		l.players = len(l.opt.Groups)
		for i := range group {
			group[i] = graph.AlwaysPresent
		}
		for p, members := range l.opt.Groups {
			if len(members) == 0 {
				return nil, fmt.Errorf("group %d: expected at least one neuron, got none", p)
			}
			for _, i := range members {
				if i < 0 || i >= l.size {
					return nil, fmt.Errorf("group %d: expected neurons from 0 to %d, got %d", p, l.size-1, i)
				}
				if group[i] != graph.AlwaysPresent {
					return nil, fmt.Errorf("neuron %d is in groups %d and %d", i, group[i], p)
				}
				group[i] = p
			}
		}
	default:
		l.players = l.size
		for i := range group {
			group[i] = i
		}
	}
	if l.players == 0 {
		return nil, attribution.ErrNoPlayers
	}
	if l.opt.Names != nil && len(l.opt.Names) != l.players {
		return nil, fmt.Errorf("expected a name for each of %d players, got %d", l.players, len(l.opt.Names))
	}
	return group, nil
}

// Shape returns the shape of the layer for one sample.
func (l *Layer) Shape() []int { return slices.Clone(l.shape) }

// Players returns the number of players of every game.
func (l *Layer) Players() int { return l.players }

// Games runs the network once on each image and yields its game, a [*LayerGame]; labels come from the batches, -1 where
// unknown.
func (l *Layer) Games(ctx context.Context, images graph.Batches) iter.Seq2[attribution.Game, error] {
	return func(yield func(attribution.Game, error) bool) {
		seen := 0
		for out, err := range l.front.Run(ctx, images) {
			if err != nil {
				yield(nil, err)
				return
			}
			z, logits := out.Float32(l.opt.Layer), out.Float32(graph.Logits)
			k := len(logits) / out.N
			for i := range out.N {
				g, err := l.game(slices.Clone(z[i*l.size:][:l.size]), mathx.Float64s(logits[i*k:][:k]), out.Labels[i])
				if err != nil {
					err = fmt.Errorf("image %d: %w", seen+i, err)
				}
				if !yield(g, err) || err != nil {
					return
				}
			}
			seen += out.N
		}
	}
}

func (l *Layer) game(present []float32, logits []float64, label int) (attribution.Game, error) {
	class, err := l.opt.Target.Resolve(logits, label)
	if err != nil {
		return nil, err
	}
	g := &LayerGame{l: l, class: class, present: present, parts: &additiveParts{}}
	g.first, g.members = l.opt.Removal.InClass(class)
	return g, nil
}

// layerModel is a network with a game's value, and the value's gradient with respect to the mask. With an own value
// these are the logits, and the gradient of their sum with the weights that enter as the slope.
type layerModel struct {
	graph.Model
	l *Layer
}

func (m layerModel) Build(b *graph.Builder, x *G.Node) error {
	if err := m.Model.Build(b, x); err != nil {
		return err
	}
	value, err := m.value(b)
	if err != nil {
		return err
	}
	value = b.Tap(layerValue, value)
	b.TapOnDemand(layerGradient, func() (*G.Node, error) {
		seed := b.Ones()
		if m.l.own != nil {
			seed = b.Input(layerSlope, m.l.classes)
		}
		gs, err := graph.Gradients(G.Nodes{value}, G.Nodes{seed}, G.Nodes{b.Input(layerMask, m.l.players)})
		if err != nil {
			return nil, err
		}
		return gs[0], nil
	})
	return b.Err()
}

// output returns the node that is the value, which must be one number a sample.
func (m layerModel) output(b *graph.Builder) (*G.Node, error) {
	name := m.l.opt.Output
	n, err := b.Node(name)
	if err != nil {
		return nil, err
	}
	if n.Dims() == 0 || n.Dims() > 1 && n.Shape()[1:].TotalSize() != 1 {
		return nil, fmt.Errorf("output %q: expected one value a sample, got shape %v", name,
			[]int(n.Shape()[min(1, n.Dims()):]))
	}
	if n.Dtype() != tensor.Float32 {
		return nil, fmt.Errorf("output %q: expected %v values, got %v", name, tensor.Float32, n.Dtype())
	}
	if n.Dims() > 1 {
		return graph.Reshape(n)
	}
	return n, nil
}

func (m layerModel) value(b *graph.Builder) (*G.Node, error) {
	if m.l.opt.Output != "" {
		return m.output(b)
	}
	logits, err := b.Node(graph.Logits)
	if err != nil {
		return nil, err
	}
	if m.l.own != nil {
		return logits, nil
	}
	gather := func(of func(*G.Node) (*G.Node, error)) (*G.Node, error) {
		n, err := of(logits)
		if err != nil {
			return nil, err
		}
		return graph.Gather(n, b.Labels())
	}
	switch m.l.opt.Value {
	case attribution.Logit:
		return graph.Gather(logits, b.Labels())
	case attribution.Probability:
		return gather(graph.Softmax)
	case attribution.LogProbability:
		return gather(graph.LogSoftmax)
	case attribution.LogSumExp:
		return graph.LogSumExp(logits)
	case attribution.Margin:
		runnerUp, err := graph.RunnerUp(logits, b.Labels())
		if err != nil {
			return nil, err
		}
		own, err := graph.Gather(logits, b.Labels())
		if err != nil {
			return nil, err
		}
		other, err := graph.Gather(logits, runnerUp)
		if err != nil {
			return nil, err
		}
		return graph.Sub(own, other)
	}
	return nil, fmt.Errorf("expected one of the constants of Value, got %v", m.l.opt.Value)
}
