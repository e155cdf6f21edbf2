package onnx

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// named holds the names of a program's parameters, constants and nodes. They are the same for every batch size.
type named struct {
	operands map[*value]string // parameters and constants among the inputs of instructions
	params   map[*value]bool   // which operands are parameters
	taps     map[*inst]string
	blocks   map[*inst]*denseChain
}

// denseChain is a chain of concatenations, each of which continues the one before. It becomes a dense block.
type denseChain struct{ channels int }

// name names everything that needs a name, and finds chains of concatenations.
func (p *program) name() *named {
	n := &named{operands: map[*value]string{}, params: map[*value]bool{}, taps: map[*inst]string{},
		blocks: map[*inst]*denseChain{}}
	used, taps := namer{}, namer{nets.Features: true, nets.Logits: true, nets.Prediction: true}
	constants := 0
	for _, i := range p.insts {
		if len(i.params) > 0 {
			i.base = used.uniqueLayer(layerName(i), i.params)
			if i.kind == "Conv" {
				used[i.base+".bias"] = true // the graph would take such a parameter for the layer's bias
			}
		}
	}
	for _, i := range p.insts {
		for _, v := range i.in {
			if v.c == nil || n.operands[v] != "" {
				continue
			}
			if v.isParam() && v.init && v.c.len() > 1 && !v.batch.is {
				n.operands[v], n.params[v] = used.unique(readable(v.name, "")), true
				continue
			}
			n.operands[v] = fmt.Sprintf("constant %d", constants)
			constants++
		}
		if chain := p.chain(n, i); chain != nil {
			n.blocks[i] = chain
		}
		if p.worthTapping(i) {
			n.taps[i] = taps.unique(nodeName(i))
		}
	}
	return n
}

// worthTapping tells whether a value gets a name by which it can be fetched: values that several instructions read, and
// results of pooling, because nothing is fused behind these anyway.
func (p *program) worthTapping(i *inst) bool {
	b := i.out.batch
	return b.is && b.plain() && b.per == 1 && (len(p.uses[i.out]) > 1 || i.kind == "MaxPool" || i.kind == "AvgPool")
}

// chain returns the chain that a concatenation continues, or starts if another one continues it; otherwise nil.
func (p *program) chain(n *named, i *inst) *denseChain {
	if i.kind != "Concat" || i.a.(*axisAttrs).axis != 1 || len(i.out.shape) != 4 || !i.out.batch.plain() {
		return nil
	}
	for _, v := range i.in {
		if v.c != nil {
			return nil
		}
	}
	if before := by(i.in[0], "Concat"); before != nil && n.blocks[before] != nil {
		c := n.blocks[before]
		for other, chain := range n.blocks {
			if chain == c && other.out.shape[1] > before.out.shape[1] {
				return nil // another concatenation continues it already
			}
		}
		c.channels = i.out.shape[1]
		return c
	}
	for _, next := range p.uses[i.out] {
		if next.kind == "Concat" && next.in[0] == i.out && next.a.(*axisAttrs).axis == 1 {
			return &denseChain{channels: i.out.shape[1]}
		}
	}
	return nil
}

// emitter adds a program to a graph.
type emitter struct {
	*named
	b     *graph.Builder
	n     int // number of samples in the batch
	p     *program
	nodes map[*value]*G.Node
	open  map[*denseChain]*graph.DenseBlock
	// roles holds the values that are tapped under the names of their roles, such as the features.
	roles map[*value]string
}

// run adds all instructions.
func (e *emitter) run() error {
	e.open = map[*denseChain]*graph.DenseBlock{}
	for _, i := range e.p.insts {
		in := make([]*G.Node, len(i.in))
		for j, v := range i.in {
			in[j] = e.node(v)
		}
		if e.b.Err() != nil {
			return e.b.Err()
		}
		x := e.emit(i, in)
		if x != nil {
			x = e.shaped(i, x)
		}
		if err := e.b.Err(); err != nil {
			return fmt.Errorf("%s: %w", i.node.describe(), err)
		}
		tap := e.taps[i]
		if role := e.roles[i.out]; role != "" {
			tap = role
		}
		if tap != "" {
			x = e.b.Tap(tap, x)
		}
		e.nodes[i.out] = x
	}
	return e.b.Err()
}

// shaped returns x, and fails if its shape is not that of the instruction's result.
func (e *emitter) shaped(i *inst, x *G.Node) *G.Node {
	want := nodeShape(i.out.shapeFor(e.n))
	if slices.Equal([]int(x.Shape()), want) {
		return x
	}
	return e.b.Do(func() (*G.Node, error) { return graph.ReshapeAll(x, want...) })
}

// nodeShape returns the shape of a node for a shape in ONNX. A scalar gets one axis.
func nodeShape(shape []int) []int {
	if len(shape) == 0 {
		return []int{1}
	}
	return shape
}

// node returns the graph's node of a value.
func (e *emitter) node(v *value) *G.Node {
	if v.c == nil {
		return e.nodes[v]
	}
	if e.params[v] {
		return e.b.Param(e.operands[v], nodeShape(v.shape)...)
	}
	shape := nodeShape(v.shapeFor(e.n))
	return e.b.Constant(e.operands[v], func() []float64 { return v.constantFor(e.n).floats() }, shape...)
}

// do adds an operation, see graph.Builder.Do.
func (e *emitter) do(f func() (*G.Node, error)) *G.Node { return e.b.Do(f) }

var binaryNodes = map[string]func(a, b *G.Node) (*G.Node, error){
	"Add": graph.Add, "Sub": graph.Sub, "Mul": graph.Mul, "Div": graph.Div, "Pow": graph.Pow, "Min": graph.Minimum,
	"Max":   graph.Maximum,
	"Equal": graph.Equal, "Less": graph.Less, "LessOrEqual": graph.LessOrEqual, "And": graph.And, "Or": graph.Or,
	"Xor":    graph.Xor,
	"MatMul": graph.MatMul, "PRelu": graph.PReLU,
}

var unaryNodes = map[string]func(x *G.Node) (*G.Node, error){
	"Exp": graph.Exp, "Log": graph.Log, "Sqrt": graph.Sqrt, "Reciprocal": graph.Reciprocal, "Abs": graph.Abs,
	"Neg": graph.Neg,
	"Erf": graph.Erf, "Sin": graph.Sin, "Cos": graph.Cos, "Square": graph.Square,
	"Floor": graph.Floor, "Ceil": graph.Ceil, "Round": graph.Round, "Sign": graph.Sign, "Not": graph.Not,
}

// activationOf returns the activation that equals a function of one variable, and whether there is one.
func activationOf(a *unaryAttrs) (graph.Activation, bool) {
	switch a.fn {
	case "Relu":
		return graph.ActReLU(), true
	case "Clip":
		if a.alpha == 0 && a.beta == 6 {
			return graph.ActReLU6(), true
		}
		return graph.ActClamp(a.alpha, a.beta), true
	case "Sigmoid":
		return graph.ActSigmoid(), true
	case "Swish":
		return graph.ActSwish(a.alpha), true
	case "HardSigmoid":
		return graph.ActHardSigmoid(a.alpha, a.beta), true
	case "HardSwish":
		return graph.ActHardSwish(), true
	case "Gelu":
		return graph.ActGELU(), true
	case "GeluTanh":
		return graph.ActGELUTanh(), true
	case "Tanh":
		return graph.ActTanh(), true
	case "Softplus":
		return graph.ActSoftplus(), true
	case "Mish":
		return graph.ActMish(), true
	case "Softsign":
		return graph.ActSoftsign(), true
	case "LeakyRelu":
		return graph.ActLeakyReLU(a.alpha), true
	case "Elu":
		return graph.ActELU(a.alpha), true
	case "Celu":
		return graph.ActCELU(a.alpha), true
	case "Selu":
		return graph.ActSELU(a.alpha, a.beta), true
	}
	return graph.Activation{}, false
}

// emit adds an instruction. The builder keeps the errors.
func (e *emitter) emit(i *inst, in []*G.Node) *G.Node {
	b := e.b
	param := func(suffix string) *G.Node {
		if !has(i, suffix) {
			return nil
		}
		return b.Param(i.base + "." + suffix)
	}
	switch i.kind {
	case "Unary":
		a := i.a.(*unaryAttrs)
		if act, ok := activationOf(a); ok {
			return b.Activate(in[0], act)
		}
		return e.do(func() (*G.Node, error) { return unaryNodes[a.fn](in[0]) })
	case "Add":
		return e.add(i, in)
	case "Conv":
		return e.conv(i, in)
	case "BatchNorm":
		return b.BatchNorm(in[0], i.base, i.a.(*normAttrs).eps)
	case "Affine":
		return e.do(func() (*G.Node, error) { return graph.Affine(in[0], param("weight"), param("bias")) })
	case "Linear":
		if has(i, "bias") {
			return b.Linear(in[0], i.base)
		}
		return e.do(func() (*G.Node, error) { return graph.Linear(in[0], param("weight"), nil) })
	case "MaxPool", "AvgPool", "MaxPoolIndex":
		return e.pool(i, in[0])
	case "GlobalAvgPool":
		return b.GlobalAvgPool(in[0])
	case "LayerNorm", "RMSNorm", "GroupNorm":
		a, scale, bias := i.a.(*normAttrs), param("weight"), param("bias")
		if len(in) > 1 {
			scale = in[1]
		}
		if len(in) > 2 {
			bias = in[2]
		}
		return e.do(func() (*G.Node, error) {
			switch i.kind {
			case "LayerNorm":
				return graph.LayerNorm(in[0], scale, bias, a.axis, a.eps)
			case "RMSNorm":
				return graph.RMSNorm(in[0], scale, a.axis, a.eps)
			}
			return graph.GroupNorm(in[0], a.groups, scale, bias, a.eps)
		})
	case "LRN":
		a := i.a.(*lrnAttrs)
		return e.do(func() (*G.Node, error) {
			return graph.LocalResponseNorm(in[0], graph.LRNConfig{Size: a.size, Alpha: a.alpha, Beta: a.beta,
				K: a.bias})
		})
	case "Concat":
		return e.concat(i, in)
	}
	if f := binaryNodes[i.kind]; f != nil {
		return e.do(func() (*G.Node, error) { return f(in[0], in[1]) })
	}
	return e.do(func() (*G.Node, error) { return e.move(i, in) })
}

// move adds an instruction that moves or reduces elements.
func (e *emitter) move(i *inst, in []*G.Node) (*G.Node, error) {
	x, shape := in[0], nodeShape(i.out.shapeFor(e.n))
	switch a := i.a.(type) {
	case *transposeAttrs:
		return graph.Transpose(x, a.perm...)
	case *cut:
		last := a.start + (a.count-1)*a.step
		end := last + 1
		if a.step < 0 {
			if end = last - 1; end < 0 {
				end = math.MinInt
			}
		}
		return graph.Slice(x, a.axis, a.start, end, a.step)
	case *padding:
		mode := map[string]graph.PadMode{"constant": graph.PadConstant, "reflect": graph.PadReflect,
			"edge": graph.PadEdge, "wrap": graph.PadWrap}
		return graph.Pad(x, graph.PadConfig{Before: a.before, After: a.after, Mode: mode[a.mode], Value: a.value})
	case *tileAttrs:
		return graph.Tile(x, a.reps...)
	case *gatherAttrs:
		return graph.Take(x, a.axis, a.index)
	case *blockAttrs:
		if i.kind == "DepthToSpace" {
			return graph.DepthToSpace(x, a.block, a.crd)
		}
		return graph.SpaceToDepth(x, a.block, a.crd)
	case *reduceAttrs:
		f := map[string]func(*G.Node, bool, ...int) (*G.Node, error){
			"Sum": graph.ReduceSum, "Mean": graph.ReduceMean, "Max": graph.ReduceMax, "Min": graph.ReduceMin,
			"Prod":      graph.ReduceProd,
			"LogSumExp": graph.ReduceLogSumExp,
		}[a.fn]
		return f(x, true, a.axes...)
	}
	switch i.kind {
	case "Reshape":
		if slices.Equal([]int(x.Shape()), shape) {
			return x, nil
		}
		return graph.ReshapeAll(x, shape...)
	case "Expand":
		return graph.Expand(x, shape...)
	case "Where":
		return graph.Where(x, in[1], in[2])
	case "Softmax":
		return graph.SoftmaxAxis(x, i.a.(*axisAttrs).axis)
	case "LogSoftmax":
		return graph.LogSoftmaxAxis(x, i.a.(*axisAttrs).axis)
	case "ChannelShuffle":
		return graph.ChannelShuffle(x, i.a.(*axisAttrs).axis)
	}
	return nil, fmt.Errorf("%s is not expressed", i.kind)
}

// add adds a sum. A residual connection is fused into one of the two layers that it adds.
func (e *emitter) add(i *inst, in []*G.Node) *G.Node {
	if !slices.Equal([]int(in[0].Shape()), []int(in[1].Shape())) || i.in[0].c != nil || i.in[1].c != nil {
		return e.do(func() (*G.Node, error) { return graph.Add(in[0], in[1]) })
	}
	fits := func(v *value) bool { return (by(v, "Conv") != nil || by(v, "BatchNorm") != nil) && e.p.single(v) }
	if !fits(i.in[0]) && fits(i.in[1]) {
		in[0], in[1] = in[1], in[0]
	}
	return e.b.Add(in[0], in[1])
}

func (e *emitter) conv(i *inst, in []*G.Node) *G.Node {
	a := i.a.(*windowAttrs)
	pair := func(v []int) [2]int { return [2]int{v[0], v[1]} }
	cfg := graph.ConvConfig{
		Stride: pair(a.stride), Padding: pair(a.begin), Dilation: pair(a.dilation), Groups: a.groups,
		ExtraPadding: [2]int{a.end[0] - a.begin[0], a.end[1] - a.begin[1]},
	}
	if len(i.params) > 0 {
		return e.b.Conv(in[0], i.base, cfg)
	}
	var bias *G.Node
	if len(in) > 2 {
		bias = in[2]
	}
	return e.do(func() (*G.Node, error) { return graph.Conv2D(in[0], in[1], bias, cfg) })
}

func (e *emitter) pool(i *inst, x *G.Node) *G.Node {
	a := i.a.(*windowAttrs)
	if len(a.kernel) == 2 && i.kind != "MaxPoolIndex" {
		pair := func(v []int) [2]int { return [2]int{v[0], v[1]} }
		cfg := graph.PoolConfig{
			Kernel: pair(a.kernel), Stride: pair(a.stride), Padding: pair(a.begin), Dilation: pair(a.dilation),
			ExtraPadding: [2]int{a.end[0] - a.begin[0], a.end[1] - a.begin[1]}, CeilMode: a.ceil,
			CountIncludePad: a.includePad,
		}
		if i.kind == "MaxPool" {
			return e.b.MaxPool(x, cfg)
		}
		return e.b.AvgPool(x, cfg)
	}
	cfg := graph.PoolNDConfig{
		Kernel: a.kernel, Stride: a.stride, Dilation: a.dilation, PadBegin: a.begin, PadEnd: a.end, CeilMode: a.ceil,
		CountIncludePad: a.includePad,
	}
	return e.do(func() (*G.Node, error) {
		switch i.kind {
		case "MaxPool":
			return graph.MaxPoolND(x, cfg)
		case "AvgPool":
			return graph.AvgPoolND(x, cfg)
		}
		return graph.MaxPoolIndices(x, cfg, a.columnMajor)
	})
}

// concat adds a concatenation. One in a chain becomes part of a dense block.
func (e *emitter) concat(i *inst, in []*G.Node) *G.Node {
	axis, chain := i.a.(*axisAttrs).axis, e.blocks[i]
	if chain == nil {
		return e.do(func() (*G.Node, error) {
			if axis == 1 {
				return graph.Concat(in...)
			}
			return graph.ConcatAxis(axis, in...)
		})
	}
	return e.do(func() (*G.Node, error) {
		block := e.open[chain]
		if block == nil {
			var err error
			if block, err = graph.NewDenseBlock(in[0], chain.channels); err != nil {
				return nil, err
			}
			e.open[chain] = block
		}
		for _, x := range in[1:] {
			if err := block.Append(x); err != nil {
				return nil, err
			}
		}
		return block.Node(), nil
	})
}
