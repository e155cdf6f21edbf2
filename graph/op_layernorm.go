package graph

import G "gorgonia.org/gorgonia"

// LayerNorm returns (x - mean)/√(variance + eps)·scale + bias, with the mean and the biased variance over the given
// axis and all axes behind it (Ba et al., arXiv 1607.06450); axis -1 is the last. scale and bias have the shape of
// those axes; nil leaves them out. The result has the shape of x. x, scale and bias have gradients.
func LayerNorm(x, scale, bias *G.Node, axis int, eps float64) (*G.Node, error) {
	return layerNorm("LayerNorm", x, scale, bias, axis, eps, true)
}

// RMSNorm returns x/√(mean of x² + eps)·scale, with the mean over the given axis and all axes behind it (Zhang and
// Sennrich, NeurIPS 2019); axis -1 is the last. scale has the shape of those axes; nil leaves it out. The result has
// the shape of x. x and scale have gradients.
func RMSNorm(x, scale *G.Node, axis int, eps float64) (*G.Node, error) {
	return layerNorm("RMSNorm", x, scale, nil, axis, eps, false)
}

func layerNorm(name string, x, scale, bias *G.Node, axis int, eps float64, centre bool) (*G.Node, error) {
	if err := wantFloats(name, 1, x, scale, bias); err != nil {
		return nil, err
	}
	axis, err := wantAxis(name, axis, x.Dims())
	if err != nil {
		return nil, err
	}
	rest := x.Shape()[axis:]
	if err := wantPerChannel(name, scale, bias, rest...); err != nil {
		return nil, err
	}
	g := normGeom{groups: 1, channels: rest.TotalSize(), hw: 1, eps: eps, centre: centre}
	return normalize(name, x, scale, bias, g, NormStep{Axis: axis})
}
