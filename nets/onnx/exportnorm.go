package onnx

import "github.com/line-ood/goline/graph"

func exportLayerNorm(e *exporter, s graph.Step, _ []int, name string) error {
	n, ok := s.Attributes.(graph.NormStep)
	if !ok {
		return errNotDescribed
	}
	x, scale, bias, err := e.normInputs(s, n)
	if err != nil {
		return err
	}
	if scale == "" {
		scale = e.ones(s.Inputs[0].Shape[n.Axis:]...)
	}
	in := []string{x, scale}
	if bias != "" {
		in = append(in, bias)
	}
	e.node("LayerNormalization", name, in, integer("axis", n.Axis), float("epsilon", n.Eps))
	return nil
}

// normInputs returns the names of the inputs of a normalisation, "" for a scale or bias that it does not have.
func (e *exporter) normInputs(s graph.Step, n graph.NormStep) (x, scale, bias string, err error) {
	for _, in := range []struct {
		name *string
		at   int
	}{{&x, 0}, {&scale, n.Scale}, {&bias, n.Bias}} {
		if in.at < 0 {
			continue
		}
		if *in.name, err = e.use(s.Inputs[in.at]); err != nil {
			return "", "", "", err
		}
	}
	return x, scale, bias, nil
}

func exportRMSNorm(e *exporter, s graph.Step, _ []int, name string) error {
	n, ok := s.Attributes.(graph.NormStep)
	if !ok {
		return errNotDescribed
	}
	x, scale, _, err := e.normInputs(s, n)
	if err != nil {
		return err
	}
	var axes []int
	for a := n.Axis; a < len(s.Inputs[0].Shape); a++ {
		axes = append(axes, a)
	}
	mean := e.inner("ReduceMean", []string{e.inner("Mul", []string{x, x})}, integers("axes", axes...),
		integer("keepdims", 1))
	root := []string{x, e.inner("Sqrt", []string{e.inner("Add", []string{mean, e.number(n.Eps)})})}
	if scale == "" {
		e.node("Div", name, root)
		return nil
	}
	e.node("Mul", name, []string{e.inner("Div", root), scale})
	return nil
}

// exportGroupNorm writes an instance norm of the groups, followed by scale and bias of the channels.
func exportGroupNorm(e *exporter, s graph.Step, shape []int, name string) error {
	n, ok := s.Attributes.(graph.NormStep)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	groups := e.inner("Reshape", []string{x, e.ints(name+".groups", 0, n.Groups, -1)})
	y := e.inner("InstanceNormalization", []string{groups, e.ones(n.Groups), e.zeros(n.Groups)},
		float("epsilon", n.Eps))
	if n.Scale < 0 && n.Bias < 0 {
		return e.reshape(y, shape, name)
	}
	back := e.fresh(name + ".standard")
	if err := e.reshape(y, shape, back); err != nil {
		return err
	}
	parts := [2]*graph.Operand{}
	for i, at := range []int{n.Scale, n.Bias} {
		if at >= 0 {
			parts[i] = s.Inputs[at]
		}
	}
	in, epsilon, err := e.norm(back, parts[0], parts[1])
	if err != nil {
		return err
	}
	e.node("BatchNormalization", name, in, epsilon)
	return nil
}

// exportLRN writes a local response norm. For an odd number of channels, which ONNX Runtime supports, it is ONNX's
// operator; otherwise the mean of squares is written as average pooling along the channels.
func exportLRN(e *exporter, s graph.Step, shape []int, name string) error {
	c, ok := s.Attributes.(graph.LRNConfig)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	from := s.Inputs[0].Shape
	if c.Size%2 == 1 && len(from) == 4 {
		e.node("LRN", name, []string{x}, float("alpha", c.Alpha), float("beta", c.Beta), float("bias", c.K),
			integer("size", c.Size))
		return nil
	}
	before := (c.Size - 1) / 2
	squares := e.inner("Reshape", []string{e.inner("Mul", []string{x, x}), e.ints(name+".planes", 0, 1, from[1], -1)})
	padded := e.inner("Pad", []string{squares, e.ints(name+".pads", 0, 0, before, 0, 0, 0, c.Size-1-before, 0)})
	mean := e.fresh(name + ".mean")
	pooled := e.inner("AveragePool", []string{padded}, integers("kernel_shape", c.Size, 1), integers("strides", 1, 1))
	if err := e.reshape(pooled, shape, mean); err != nil {
		return err
	}
	base := e.inner("Add", []string{e.inner("Mul", []string{mean, e.number(c.Alpha)}), e.number(c.K)})
	e.node("Div", name, []string{x, e.inner("Pow", []string{base, e.number(c.Beta)})})
	return nil
}
