package onnx

import (
	"slices"
)

// Layer is an operation of the imported network. It was made from one or more nodes of the file.
type Layer struct {
	// Name is the name of the layer's parameters or, if it has none, of its value.
	Name string
	// Tap is the name by which the layer's value can be fetched or hooked, or a program started from it; "" if it has
	// none.
	Tap string
	// Kind is the operation. Operators are the file's operators from which it was made, in order.
	Kind      string
	Operators []string
	// Output is the shape of the value for one image. Where the samples do not lie along the first axis it is the shape
	// for one sample.
	Output []int
	// Params is the number of parameter values, MultiplyAdds the number of multiply-adds for one image.
	Params       int
	MultiplyAdds int
}

// Layers lists the operations that were made from the file, in the order of computation. A graph in which the network
// is built may fuse more of them, for example batch norm and activations into convolutions.
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

// multiplyAdds returns the number of multiply-adds of an instruction for one image, whose value has the given number of
// elements.
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
