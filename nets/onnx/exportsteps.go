package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	pb "github.com/advancedclimatesystems/gonnx/onnx"

	"github.com/line-ood/goline/graph"
)

// step writes one operation. other is the same operation for another batch.
func (e *exporter) step(s, other graph.Step) error {
	if s.Kind != other.Kind || len(s.Inputs) != len(other.Inputs) {
		return errors.New("it is another operation for another batch")
	}
	for i, v := range s.Inputs {
		if v.Value != nil && !slices.Equal(v.Shape, other.Inputs[i].Shape) {
			return fmt.Errorf("its constant %s has another shape for another batch", described(v))
		}
	}
	name := s.Output.Name
	if i := slices.Index(e.outputs, name); name == "" || i < 0 {
		if name == "" {
			name = strings.ToLower(s.Kind)
		}
		name = e.fresh(name)
	}
	w := exporting[s.Kind]
	if _, ok := s.Attributes.(graph.Activation); ok {
		w = exportActivation
	}
	if w == nil {
		return errors.New("it has no counterpart among the standard operators that are known here")
	}
	if err := w(e, s, freeShape(s.Output.Shape, other.Output.Shape), name); err != nil {
		return err
	}
	e.names[s.Output] = name
	if e.made == nil {
		e.made = map[string]*graph.Operand{}
	}
	e.made[name] = s.Output
	return nil
}

// freeShape returns a shape with -1 for what the batch changes.
func freeShape(a, b []int) []int {
	out := slices.Clone(a)
	for i := range out {
		if i >= len(b) || a[i] != b[i] {
			out[i] = -1
		}
	}
	return out
}

// exportFunc writes one operation whose result is to bear a name. shape is that of the result, with -1 where the batch decides.
type exportFunc func(e *exporter, s graph.Step, shape []int, name string) error

// exporting holds how each kind of operation is written.
var exporting = map[string]exportFunc{
	"Conv2D":            exportConv,
	"Affine":            exportAffine,
	"Affine→AvgPool2D":  exportAffinePool,
	"MaxPool2D":         exportPool("MaxPool"),
	"AvgPool2D":         exportPool("AveragePool"),
	"GlobalAvgPool2D":   exportGlobalPool,
	"Linear":            exportLinear,
	"Flatten":           exportReshape,
	"Reshape":           exportReshape,
	"Concat":            plain("Concat", integer("axis", 1)),
	"Concat (in place)": plain("Concat", integer("axis", 1)),
	"Channels":          exportChannels,
	"Copy":              plain("Identity"),
	"ReLU":              plain("Relu"),
	"Add":               plain("Add"),
	"Sub":               plain("Sub"),
	"Mul":               plain("Mul"),
	"Clip":              exportClip,
	"Softmax":           plain("Softmax", integer("axis", 1)),
	"LogSoftmax":        plain("LogSoftmax", integer("axis", 1)),
	"LogSumExp":         exportLogSumExp,
	"ArgMax":            plain("ArgMax", integer("axis", 1), integer("keepdims", 0)),
	"ClassMask":         exportClassMask,
	"RoutedLinear":      exportRouted,
}

// plain writes an operation as one operator with the same inputs.
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
		return errors.New("its configuration is not known")
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
	weight, err := values(s.Inputs[1])
	if err != nil {
		return err
	}
	shape := s.Inputs[1].Shape
	if c.PostScale >= 0 { // as the convolution itself does
		scale, err := values(s.Inputs[c.PostScale])
		if err != nil {
			return err
		}
		weight = slices.Clone(weight)
		per := len(weight) / len(scale)
		for i := range weight {
			weight[i] *= scale[i/per]
		}
	}
	in := []string{x, e.floats(s.Inputs[1].Name, weight, shape...)}
	if c.PostShift >= 0 {
		bias, err := e.use(s.Inputs[c.PostShift])
		if err != nil {
			return err
		}
		in = append(in, bias)
	}
	attributes := convAttributes(c.Config, shape[2:])
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

func convAttributes(c graph.ConvConfig, kernel []int) []*pb.AttributeProto {
	return []*pb.AttributeProto{
		integers("kernel_shape", kernel...),
		integers("strides", max(c.Stride[0], 1), max(c.Stride[1], 1)),
		integers("pads", c.Padding[0], c.Padding[1], c.Padding[0]+c.ExtraPadding[0], c.Padding[1]+c.ExtraPadding[1]),
		integers("dilations", max(c.Dilation[0], 1), max(c.Dilation[1], 1)),
		integer("group", max(c.Groups, 1)),
	}
}

// normalized adds scale·x + shift per channel, as a batch norm of mean 0 and variance 1.
func (e *exporter) normalized(x string, scale, shift *graph.Operand) (string, error) {
	in, attribute, err := e.norm(x, scale, shift)
	if err != nil {
		return "", err
	}
	return e.inner("BatchNormalization", in, attribute), nil
}

func (e *exporter) norm(x string, scale, shift *graph.Operand) ([]string, *pb.AttributeProto, error) {
	in, err := e.useAll(scale, shift)
	if err != nil {
		return nil, nil, err
	}
	n := scale.Shape[0]
	zeros, ones := fmt.Sprintf("zeros_%d", n), fmt.Sprintf("ones_%d", n)
	if !e.taken[zeros] {
		e.floats(zeros, make([]float32, n), n)
		e.floats(ones, slices.Repeat([]float32{1}, n), n)
	}
	return []string{x, in[0], in[1], zeros, ones}, float("epsilon", 0), nil
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

func exportAffinePool(e *exporter, s graph.Step, _ []int, name string) error {
	p, ok := s.Attributes.(graph.PoolStep)
	if !ok {
		return errors.New("its configuration is not known")
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	if x, err = e.normalized(x, s.Inputs[1], s.Inputs[2]); err != nil {
		return err
	}
	if p.ReLU {
		x = e.inner("Relu", []string{x})
	}
	e.node("AveragePool", name, []string{x}, poolAttributes("AveragePool", p.Config)...)
	return nil
}

func exportPool(operator string) exportFunc {
	return func(e *exporter, s graph.Step, _ []int, name string) error {
		c, ok := s.Attributes.(graph.PoolConfig)
		if !ok {
			return errors.New("its configuration is not known")
		}
		x, err := e.use(s.Inputs[0])
		if err != nil {
			return err
		}
		e.node(operator, name, []string{x}, poolAttributes(operator, c)...)
		return nil
	}
}

func poolAttributes(operator string, c graph.PoolConfig) []*pb.AttributeProto {
	stride := c.Stride
	for i := range stride {
		if stride[i] == 0 {
			stride[i] = c.Kernel[i]
		}
	}
	ceil := 0
	if c.CeilMode {
		ceil = 1
	}
	out := []*pb.AttributeProto{
		integers("kernel_shape", c.Kernel[:]...), integers("strides", stride[:]...),
		integers("pads", c.Padding[0], c.Padding[1], c.Padding[0]+c.ExtraPadding[0], c.Padding[1]+c.ExtraPadding[1]), integer("ceil_mode", ceil),
	}
	if operator == "MaxPool" {
		return append(out, integers("dilations", max(c.Dilation[0], 1), max(c.Dilation[1], 1)))
	}
	include := 0
	if c.CountIncludePad {
		include = 1
	}
	return append(out, integer("count_include_pad", include))
}

func exportGlobalPool(e *exporter, s graph.Step, _ []int, name string) error {
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	e.node("Flatten", name, []string{e.inner("GlobalAveragePool", []string{x})}, integer("axis", 1))
	return nil
}

func exportLinear(e *exporter, s graph.Step, _ []int, name string) error {
	in, err := e.useAll(s.Inputs...)
	if err != nil {
		return err
	}
	e.node("Gemm", name, in, integer("transB", 1))
	return nil
}

func exportReshape(e *exporter, s graph.Step, shape []int, name string) error {
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	free := 0
	for _, n := range shape {
		if n < 0 {
			free++
		}
	}
	if free > 1 {
		return fmt.Errorf("%d axes of its result %v depend on the batch, expected one at most", free, s.Output.Shape)
	}
	e.node("Reshape", name, []string{x, e.ints(name+".shape", shape...)})
	return nil
}

func exportChannels(e *exporter, s graph.Step, _ []int, name string) error {
	c, ok := s.Attributes.(graph.ChannelsStep)
	if !ok {
		return errors.New("its configuration is not known")
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	e.node("Slice", name, []string{x, e.ints(name+".starts", c.From), e.ints(name+".ends", c.To), e.ints(name+".axes", 1)})
	return nil
}
