package nets

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// bnEps is the default eps of PyTorch's BatchNorm2d, which is added to the variance.
const bnEps = 1e-5

// conv3x3 describes a 3×3 convolution that keeps the size of its input, divided by the stride.
func conv3x3(out, stride int) graph.ConvConfig { return convSame(out, 3, stride) }

// conv1x1 describes a 1×1 convolution.
func conv1x1(out, stride int) graph.ConvConfig { return convSame(out, 1, stride) }

// convSame describes a convolution with a square kernel of odd size that keeps the size of its input, divided by the
// stride.
func convSame(out, kernel, stride int) graph.ConvConfig {
	pad := (kernel - 1) / 2
	return graph.ConvConfig{
		Out: out, Kernel: [2]int{kernel, kernel}, Stride: [2]int{stride, stride}, Padding: [2]int{pad, pad},
	}
}

// convNorm adds the layers of torchvision's Conv2dNormActivation: convolution name.0, batch norm name.1 and an
// activation.
func convNorm(b *graph.Builder, x *G.Node, name string, cfg graph.ConvConfig, eps float64, a graph.Activation) *G.Node {
	return b.Activate(b.BatchNorm(b.Conv(x, name+".0", cfg), name+".1", eps), a)
}

// depthwise describes a convolution that keeps the channels apart, with the size as in convSame.
func depthwise(channels, kernel, stride int) graph.ConvConfig {
	cfg := convSame(channels, kernel, stride)
	cfg.Groups = channels
	return cfg
}

// patches describes a convolution whose windows are squares of the given side that do not overlap.
func patches(out, side int) graph.ConvConfig {
	return graph.ConvConfig{Out: out, Kernel: [2]int{side, side}, Stride: [2]int{side, side}, Bias: true}
}

// layerNorm adds a layer norm over the last axis of x.
func layerNorm(b *graph.Builder, x *G.Node, name string, eps float64) *G.Node {
	if b.Err() != nil {
		return nil
	}
	scale, bias := b.Param(name+".weight", last(x)), b.Param(name+".bias", last(x))
	return b.Do(func() (*G.Node, error) { return graph.LayerNorm(x, scale, bias, -1, eps) })
}

// last returns the length of the last axis.
func last(x *G.Node) int { return x.Shape()[x.Dims()-1] }

// transpose adds graph.Transpose.
func transpose(b *graph.Builder, x *G.Node, perm ...int) *G.Node {
	return b.Do(func() (*G.Node, error) { return graph.Transpose(x, perm...) })
}

// reshape adds graph.ReshapeAll.
func reshape(b *graph.Builder, x *G.Node, shape ...int) *G.Node {
	return b.Do(func() (*G.Node, error) { return graph.ReshapeAll(x, shape...) })
}
