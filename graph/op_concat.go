package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// Concat joins nodes of shape [batch, channels_i, ...] along the channels, in order: [batch, Σ channels_i, ...].
func Concat(xs ...*G.Node) (*G.Node, error) {
	shape, err := concatShape(xs)
	if err != nil {
		return nil, err
	}
	return onCard(concatCard)(floatOp("Concat", shape, xs, all(len(xs)), concatGrad, concatRun[float32],
		concatRun[float64]))
}

func all(n int) []bool {
	d := make([]bool, n)
	for i := range d {
		d[i] = true
	}
	return d
}

func concatShape(xs []*G.Node) (tensor.Shape, error) {
	if err := wantOneType("Concat", xs...); err != nil {
		return nil, err
	}
	shape := xs[0].Shape()
	if len(shape) < 2 {
		return nil, fmt.Errorf("Concat: input 0: expected shape [batch, channels, ...], got %v", shape)
	}
	for i, x := range xs[1:] {
		s := x.Shape()
		if len(s) != len(shape) || s[0] != shape[0] || !sameShape(s[2:], shape[2:]) {
			return nil, fmt.Errorf("Concat: input %d has shape %v, which does not fit %v", i+1, s, xs[0].Shape())
		}
		if shape[1] += s[1]; shape[1] < 0 {
			return nil, fmt.Errorf("Concat: too many channels")
		}
	}
	return shape, nil
}

func concatRun[T kernel.Float](c *call[T]) error {
	for i := range c.out.n {
		dst := c.out.sample(i)
		for _, x := range c.in {
			dst = dst[copy(dst, x.sample(i)):]
		}
	}
	return nil
}

func concatGrad(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
	gs = make(G.Nodes, len(in))
	from := 0
	for i, x := range in {
		to := from + x.Shape()[1]
		if need[i] {
			if gs[i], err = Channels(grad, from, to); err != nil {
				return nil, err
			}
		}
		from = to
	}
	return gs, nil
}

// Channels returns channels from, from+1, ..., to-1 of x [batch, channels, ...]: [batch, to-from, ...].
func Channels(x *G.Node, from, to int) (*G.Node, error) {
	if err := wantBatched("Channels", 2, x); err != nil {
		return nil, err
	}
	shape := x.Shape()
	channels := shape[1]
	if from < 0 || to <= from || to > channels {
		return nil, fmt.Errorf("Channels: channels %d to %d of input (%s) of shape %v", from, to, x.Name(), shape)
	}
	shape[1] = to - from
	grad := same(func(_ G.Nodes, _, grad *G.Node) (*G.Node, error) {
		return onCard(padChannelsCard(from, to))(floatOp("Channels'", x.Shape(), []*G.Node{grad}, nil, nil,
			padChannelsRun[float32](from, to), padChannelsRun[float64](from, to)))
	})
	return explained("Channels",
		ChannelsStep{from, to})(onCard(channelsCard(from, channels))(floatOp(fmt.Sprintf("Channels[%d:%d]", from, to),
		shape, []*G.Node{x}, first(1), grad,
		channelsRun[float32](from, channels), channelsRun[float64](from, channels))))
}

func channelsRun[T kernel.Float](from, channels int) func(*call[T]) error {
	return func(c *call[T]) error {
		x := c.in[0]
		for i := range c.out.n {
			copy(c.out.sample(i), x.sample(i)[from*(x.size/channels):])
		}
		return nil
	}
}

func padChannelsRun[T kernel.Float](from, to int) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			dst, src := c.out.sample(i), c.in[0].sample(i)
			clear(dst)
			copy(dst[from*(len(src)/(to-from)):], src)
		}
		return nil
	}
}

// DenseBlock joins feature maps along the channels without copying them: its members write straight into one buffer,
// and the concatenation so far is a view of its first channels. Values and gradients are those of [Concat]. Where a
// stock operation reads a node of the block, it gets a copy.
type DenseBlock struct {
	node *G.Node
	buf  any // *buffer[T]
	cap  int // channels
}

// NewDenseBlock starts a block with x [batch, channels, height, width], with room for the given number of channels.
func NewDenseBlock(x *G.Node, channels int) (*DenseBlock, error) {
	if err := wantDims("DenseBlock", 4, x); err != nil {
		return nil, err
	}
	s := x.Shape()
	if s[1] > channels {
		return nil, fmt.Errorf("DenseBlock: expected at most %d channels, got %d", channels, s[1])
	}
	s[1] = channels
	if _, err := elements(s); err != nil {
		return nil, fmt.Errorf("DenseBlock: %w", err)
	}
	b := &DenseBlock{cap: channels}
	switch x.Dtype() {
	case tensor.Float32:
		b.buf = &buffer[float32]{n: s[0], size: s[1:].TotalSize()}
	case tensor.Float64:
		b.buf = &buffer[float64]{n: s[0], size: s[1:].TotalSize()}
	default:
		return nil, fmt.Errorf("DenseBlock: expected element type float32 or float64, got %v", x.Dtype())
	}
	first, err := b.place(x, 0)
	if err != nil {
		return nil, err
	}
	b.node = first
	return b, nil
}

// Node returns the concatenation of all members so far: [batch, Σ channels, height, width].
func (b *DenseBlock) Node() *G.Node { return b.node }

// Append joins x [batch, channels, height, width] to the block, behind its members so far.
func (b *DenseBlock) Append(x *G.Node) error {
	shape, err := concatShape([]*G.Node{b.node, x})
	if err != nil {
		return fmt.Errorf("DenseBlock: %w", err)
	}
	if shape[1] > b.cap {
		return fmt.Errorf("DenseBlock: expected at most %d channels, got %d", b.cap, shape[1])
	}
	if x.Graph() != b.node.Graph() {
		return fmt.Errorf("DenseBlock: %s is not in the graph of the block", x.Name())
	}
	if x, err = b.place(x, b.node.Shape()[1]); err != nil {
		return err
	}
	fn, err := dispatch("DenseBlock", x.Dtype(),
		func() function { return &floatFn[float32]{run: nothing[float32], grad: concatGrad, diff: all(2)} },
		func() function { return &floatFn[float64]{run: nothing[float64], grad: concatGrad, diff: all(2)} })
	if err != nil {
		return err
	}
	joined, err := onCard(nothingCard)(apply(concatInPlace, fn, x.Dtype(), shape, b.node, x))
	if err != nil {
		return err
	}
	joined.Op().(*op).out = b.view(shape, 0)
	b.node = joined
	return nil
}

func nothing[T kernel.Float](*call[T]) error { return nil }

// concatInPlace is the name of the operation that joins a member to a block. Its inputs lie in the buffer where its
// value is, so it moves nothing.
const concatInPlace = "Concat (in place)"

// place makes x write its value into the buffer from the given channel on. Where x cannot, a copy of x does.
func (b *DenseBlock) place(x *G.Node, channel int) (*G.Node, error) {
	o, ok := x.Op().(*op)
	if ok && o.out == nil {
		_, ok = o.fn.(strided)
	} else {
		ok = false
	}
	if !ok {
		c, err := Copy(x)
		if err != nil {
			return nil, err
		}
		x, o = c, c.Op().(*op)
	}
	o.out = b.view(x.Shape(), channel)
	return x, nil
}

func (b *DenseBlock) view(shape tensor.Shape, channel int) G.Value {
	offset := channel * shape[2] * shape[3]
	if buf, ok := b.buf.(*buffer[float32]); ok {
		return &planes[float32]{in: buf, offset: offset, shape: shape}
	}
	return &planes[float64]{in: b.buf.(*buffer[float64]), offset: offset, shape: shape}
}

// strided marks functions that can write the samples of their output with gaps between them.
type strided interface{ stridedOutput() }

func (*convFn[T]) stridedOutput() {}
func (*poolFn[T]) stridedOutput() {}
