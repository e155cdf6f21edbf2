package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
)

// GroupNorm divides the channels of x [batch, channels, ...] into the given number of groups of neighbouring channels
// and standardises each group of each sample: it returns scale·(x - mean)/√(variance + eps) + bias, of the shape of x,
// with the mean and the biased variance of the group's elements (Wu and He, ECCV 2018). scale and bias [channels] have
// one element for each channel; nil leaves them out. With as many groups as channels it is instance norm. x, scale and
// bias have gradients.
func GroupNorm(x *G.Node, groups int, scale, bias *G.Node, eps float64) (*G.Node, error) {
	const name = "GroupNorm"
	if err := wantFloats(name, 2, x, scale, bias); err != nil {
		return nil, err
	}
	s := x.Shape()
	if groups < 1 || s[1]%groups != 0 {
		return nil, fmt.Errorf("%s: expected a number of groups that divides the %d channels of %s %v, got %d", name,
			s[1], x.Name(), s, groups)
	}
	if err := wantPerChannel(name, scale, bias, s[1]); err != nil {
		return nil, err
	}
	g := normGeom{groups: groups, channels: s[1] / groups, hw: s[2:].TotalSize(), eps: eps, centre: true}
	return normalize(name, x, scale, bias, g, NormStep{Axis: 1, Groups: groups})
}
