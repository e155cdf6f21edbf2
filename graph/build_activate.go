package graph

import G "gorgonia.org/gorgonia"

// Activate adds the activation a of x [batch, ...]. Where x is a convolution, the activation is fused into it. Activate
// with [ActReLU] is [Builder.ReLU].
func (b *Builder) Activate(x *G.Node, a Activation) *G.Node {
	if b.err != nil {
		return nil
	}
	if a == ActReLU() {
		return b.ReLU(x)
	}
	if p, ok := b.convs[x]; ok && p.post == ActIdentity() && a != ActIdentity() && wantParameters(a.fn) == nil {
		p.post = a
		return b.conv(p)
	}
	return b.Do(func() (*G.Node, error) { return Activate(x, a) })
}
