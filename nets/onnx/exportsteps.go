package onnx

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

// step writes an operation. other is the same operation at the other batch size.
func (e *exporter) step(s, other graph.Step) error {
	if s.Kind != other.Kind || len(s.Inputs) != len(other.Inputs) {
		return errors.New("it is another operation for another batch")
	}
	for i, v := range s.Inputs {
		e.pairs[v] = other.Inputs[i]
	}
	e.pairs[s.Output] = other.Output
	w := exporting[s.Kind]
	if _, ok := s.Attributes.(graph.Activation); ok {
		w = exportActivation
	}
	switch {
	case w == nil:
		return errors.New("it has no counterpart among the standard operators that are known here")
	case takesAll(s) && takesAll(other):
		w = plain("Identity")
	case !reflect.DeepEqual(s.Attributes, other.Attributes) && s.Kind != "Tile":
		return fmt.Errorf("it does other things for another batch: %+v and %+v", s.Attributes, other.Attributes)
	}
	name := s.Output.Name
	switch {
	case len(s.Output.Fetched) > 0:
		name = s.Output.Fetched[0]
	case name == "":
		name = e.fresh(strings.ToLower(s.Kind))
	default:
		name = e.fresh(name)
	}
	if err := w(e, s, e.free(s.Output), name); err != nil {
		return err
	}
	e.names[s.Output] = name
	for i, output := range s.Output.Fetched {
		e.made[output] = s.Output
		if i > 0 {
			e.node("Identity", output, []string{name})
		}
	}
	return nil
}

// takesAll tells whether an operation is a slice that takes everything.
func takesAll(s graph.Step) bool {
	c, ok := s.Attributes.(graph.SliceStep)
	return ok && c.First == 0 && c.Step == 1 && c.Count == s.Inputs[0].Shape[c.Axis]
}

// exportFunc writes an operation whose result must get the given name. shape is the shape of the result, with -1 for a
// length that depends on the batch.
type exportFunc func(e *exporter, s graph.Step, shape []int, name string) error

// errNotDescribed is the error of operations without the attributes of their kind.
var errNotDescribed = errors.New("its configuration is not known")

// exporting maps each kind of operation, except activations, to the function that writes it.
var exporting = map[string]exportFunc{
	"Conv2D":            exportConv,
	"Affine":            exportAffine,
	"Affine→AvgPool2D":  exportAffinePool,
	"MaxPool2D":         exportMaxPool,
	"AvgPool2D":         exportAvgPool,
	"MaxPoolND":         exportMaxPool,
	"AvgPoolND":         exportAvgPool,
	"MaxPoolIndices":    exportPoolIndices,
	"GlobalAvgPool2D":   exportGlobalPool("GlobalAveragePool"),
	"GlobalMaxPool2D":   exportGlobalPool("GlobalMaxPool"),
	"Linear":            exportLinear,
	"MatMul":            exportMatMul,
	"LayerNorm":         exportLayerNorm,
	"RMSNorm":           exportRMSNorm,
	"GroupNorm":         exportGroupNorm,
	"LocalResponseNorm": exportLRN,
	"Flatten":           exportReshape,
	"Reshape":           exportReshape,
	"Transpose":         exportTranspose,
	"Slice":             exportSlice,
	"Channels":          exportChannels,
	"Take":              exportTake,
	"Pad":               exportPad,
	"Expand":            exportExpand,
	"Tile":              exportTile,
	"Concat":            plain("Concat", integer("axis", 1)),
	"Concat (in place)": plain("Concat", integer("axis", 1)),
	"ConcatAxis":        exportConcat,
	"ChannelShuffle":    exportShuffle,
	"DepthToSpace":      exportDepthToSpace,
	"SpaceToDepth":      exportSpaceToDepth,
	"Copy":              plain("Identity"),
	"ReLU":              plain("Relu"),
	"PReLU":             plain("PRelu"),
	"Add":               plain("Add"),
	"Sub":               plain("Sub"),
	"Mul":               plain("Mul"),
	"Div":               plain("Div"),
	"Pow":               plain("Pow"),
	"Maximum":           plain("Max"),
	"Minimum":           plain("Min"),
	"Clip":              exportClip,
	"Less":              exportCompare("Less"),
	"LessOrEqual":       exportCompare("LessOrEqual"),
	"Equal":             exportCompare("Equal"),
	"And":               exportLogic("And"),
	"Or":                exportLogic("Or"),
	"Xor":               exportLogic("Xor"),
	"Not":               exportLogic("Not"),
	"Where":             exportWhere,
	"ReduceSum":         exportReduce,
	"ReduceMean":        exportReduce,
	"ReduceMax":         exportReduce,
	"ReduceMin":         exportReduce,
	"ReduceProd":        exportReduce,
	"ReduceLogSumExp":   exportReduce,
	"Softmax":           plain("Softmax", integer("axis", 1)),
	"LogSoftmax":        plain("LogSoftmax", integer("axis", 1)),
	"SoftmaxAxis":       exportSoftmax("Softmax"),
	"LogSoftmaxAxis":    exportSoftmax("LogSoftmax"),
	"LogSumExp":         exportLogSumExp,
	"ArgMax":            plain("ArgMax", integer("axis", 1), integer("keepdims", 0)),
	"RunnerUp":          exportRunnerUp,
	"SelectClass":       exportSelectClass,
	"Gather":            exportGather,
	"ClassClip":         exportClassClip,
	"ClassMask":         exportClassMask,
	"RoutedLinear":      exportRouted,
	"CrossEntropy":      exportCrossEntropy,
	"Mix":               exportMix,
	"MixRows":           exportMix,
}

// plain returns a function that writes an operation as one operator with the same inputs.
func plain(operator string, attributes ...*pb.AttributeProto) exportFunc {
	return func(e *exporter, s graph.Step, _ []int, name string) error {
		in, err := e.useAll(s.Inputs...)
		if err != nil {
			return err
		}
		e.node(operator, name, in, attributes...)
		return nil
	}
}

func exportConv(e *exporter, s graph.Step, _ []int, name string) error {
	c, ok := s.Attributes.(graph.ConvStep)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	if c.PreScale >= 0 {
		if x, err = e.normalized(x, s.Inputs[c.PreScale], s.Inputs[c.PreShift]); err != nil {
			return err
		}
	}
	if c.PreReLU {
		x = e.inner("Relu", []string{x})
	}
	weight, err := e.scaledWeight(s, c.PostScale)
	if err != nil {
		return err
	}
	in := []string{x, weight}
	if c.PostShift >= 0 {
		bias, err := e.use(s.Inputs[c.PostShift])
		if err != nil {
			return err
		}
		in = append(in, bias)
	}
	attributes := convAttributes(c.Config, s.Inputs[1].Shape[2:])
	if c.Residual < 0 {
		return e.activated("Conv", name, c.Activation, in, attributes...)
	}
	y := e.inner("Conv", in, attributes...)
	residual, err := e.use(s.Inputs[c.Residual])
	if err != nil {
		return err
	}
	return e.activated("Add", name, c.Activation, []string{y, residual})
}

// scaledWeight returns the name of a convolution's weight, multiplied by the scale of its results, input number scale,
// as the convolution itself does it.
func (e *exporter) scaledWeight(s graph.Step, scale int) (string, error) {
	if scale < 0 {
		return e.use(s.Inputs[1])
	}
	w, k := s.Inputs[1], s.Inputs[scale]
	if w.Value == nil || k.Value == nil {
		in, err := e.useAll(w, k)
		if err != nil {
			return "", err
		}
		return e.inner("Mul", []string{in[0], e.reshaped(in[1], k, k.Shape[0], 1, 1, 1)}), nil
	}
	weight, err := values(w)
	if err != nil {
		return "", err
	}
	factor, err := values(k)
	if err != nil {
		return "", err
	}
	weight = slices.Clone(weight)
	per := len(weight) / len(factor)
	for i := range weight {
		weight[i] *= factor[i/per]
	}
	return e.floats(w.Name, weight, w.Shape...), nil
}

func convAttributes(c graph.ConvConfig, kernel []int) []*pb.AttributeProto {
	return []*pb.AttributeProto{
		integers("kernel_shape", kernel...),
		integers("strides", max(c.Stride[0], 1), max(c.Stride[1], 1)),
		integers("pads", c.Padding[0], c.Padding[1], c.Padding[0]+c.ExtraPadding[0], c.Padding[1]+c.ExtraPadding[1]),
		integers("dilations", max(c.Dilation[0], 1), max(c.Dilation[1], 1)),
		integer("group", max(c.Groups, 1)),
	}
}

// normalized adds scale·x + shift per channel, as a batch norm with mean 0 and variance 1.
func (e *exporter) normalized(x string, scale, shift *graph.Operand) (string, error) {
	in, attribute, err := e.norm(x, scale, shift)
	if err != nil {
		return "", err
	}
	return e.inner("BatchNormalization", in, attribute), nil
}

// norm returns the inputs and the attribute of a batch norm with mean 0 and variance 1. Either scale or shift may be
// nil.
func (e *exporter) norm(x string, scale, shift *graph.Operand) (in []string, epsilon *pb.AttributeProto, err error) {
	n := 0
	for _, v := range []*graph.Operand{scale, shift} {
		if v != nil {
			n = v.Shape[0]
		}
	}
	zeros, ones := e.zeros(n), e.ones(n)
	in = []string{x, ones, zeros, zeros, ones}
	for i, v := range []*graph.Operand{scale, shift} {
		if v == nil {
			continue
		}
		if in[1+i], err = e.use(v); err != nil {
			return nil, nil, err
		}
	}
	return in, float("epsilon", 0), nil
}

func exportAffine(e *exporter, s graph.Step, _ []int, name string) error {
	a, _ := s.Attributes.(graph.AffineStep)
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	in, epsilon, err := e.norm(x, s.Inputs[1], s.Inputs[2])
	if err != nil {
		return err
	}
	after := graph.ActIdentity()
	if a.ReLU {
		after = graph.ActReLU()
	}
	return e.activated("BatchNormalization", name, after, in, epsilon)
}
