package graph

import G "gorgonia.org/gorgonia"

// PooledFrom returns the feature map [batch, channels, height, width] of which z [batch, channels] is the mean over the
// pixels, perhaps reshaped or copied since, or nil where z is something else.
func PooledFrom(z *G.Node) *G.Node {
	for z != nil {
		o, ok := z.Op().(*op)
		if !ok || len(o.in) == 0 {
			return nil
		}
		switch o.name {
		case "GlobalAvgPool2D":
			return o.in[0]
		case "Reshape", "Flatten", "Copy":
			z = o.in[0]
		default:
			return nil
		}
	}
	return nil
}
