package onnx

import (
	"slices"
)

// Layer is one operation of the imported network, made from one or more nodes of the file.
type Layer struct {
	// Name is the name of the layer's parameters or, where it has none, of its value.
	Name string
	// Tap is the name by which the layer's value can be fetched, started from or hooked; "" where it has none.
	Tap string
	// Kind is the operation; Operators are the operators of the file that it was made from, in order.
	Kind      string
	Operators []string
	// Output is the shape of the value for one image; where the samples do not lie along the first axis, that for one
	// sample.
	Output []int
	// Params is the number of parameter values, MultiplyAdds that of multiplications with an addition for one image.
	Params       int
	MultiplyAdds int
}

// Layers lists the operations that the file was turned into, in the order in which they are computed. Further fusions,
// of batch norm and activations into convolutions for example, are up to the graph that it is built in.
func (n *Network) Layers() []Layer {
	out := make([]Layer, 0, len(n.program.insts))
	for _, i := range n.program.insts {
		l := Layer{Name: i.base, Kind: i.kind, Operators: slices.Clone(i.ops), Output: i.out.shapeFor(1),
			Tap: n.names.taps[i]}
		if i.kind == "Unary" {
			l.Kind = i.a.(*unaryAttrs).fn
		}
		if role := n.roles[i.out]; role != "" {
			l.Tap = role
		}
		if l.Name == "" {
			l.Name = nodeName(i)
		}
		l.MultiplyAdds = i.multiplyAdds(product(l.Output))
		if i.out.batch.plain() && len(l.Output) > 0 && i.out.batch.per == 1 {
			l.Output = l.Output[1:]
		}
		for _, p := range i.params {
			l.Params += product(p.shape)
		}
		for _, v := range i.in {
			if n.names.params[v] {
				l.Params += v.c.len()
			}
		}
		out = append(out, l)
	}
	return out
}

// multiplyAdds counts the multiplications with an addition that an instruction takes for one image, whose value has the
// given number of elements.
func (i *inst) multiplyAdds(elements int) int {
	switch i.kind {
	case "Conv":
		if w := i.param("weight"); w != nil {
			return elements * product(w.shape[1:])
		}
	case "Linear":
		return elements * i.param("weight").shape[1]
	case "MatMul":
		return elements * i.in[0].shape[len(i.in[0].shape)-1]
	}
	return 0
}
