package graph

import G "gorgonia.org/gorgonia"

// Activate adds the activation a. A ReLU is [Builder.ReLU].
func (b *Builder) Activate(x *G.Node, a Activation) *G.Node {
	if a == ActReLU() {
		return b.ReLU(x)
	}
	return b.Do(func() (*G.Node, error) { return Activate(x, a) })
}
