package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// SmallResNetConfig describes a residual network for small images (He et al., CVPR 2016, section 4.2), with 1×1
// convolutions where a shortcut changes its shape.
type SmallResNetConfig struct {
	Depth   int // number of layers with weights on the longest path: 6n + 2 for n blocks in each of the three stages
	Width   int // feature maps of the first stage, doubled in each further one; the paper has 16
	Classes int // at least 1
	// Fashion selects the input of Fashion-MNIST, 28×28 with its mean and standard deviation, instead of CIFAR's.
	Fashion bool
}

// SmallResNet returns the network with all parameters zero, named as torchvision names those of its residual networks:
// conv1, bn1, layer{1,2,3}.i.{conv1,bn1,conv2,bn2,downsample.0,downsample.1}, fc. It takes [batch, 3, 32, 32] or, with
// Fashion, [batch, 3, 28, 28]. It is an error if the configuration describes no such network, or one of more than 2^30
// parameter values.
func SmallResNet(cfg SmallResNetConfig) (*Network, error) {
	d, err := cfg.definition()
	if err != nil {
		return nil, fmt.Errorf("nets: small resnet: %w", err)
	}
	return Define(d)
}

func (c SmallResNetConfig) definition() (Definition, error) {
	switch {
	case c.Depth < 8 || (c.Depth-2)%6 != 0:
		return Definition{}, fmt.Errorf("expected a depth of 6n+2 with n ≥ 1, got %d", c.Depth)
	case c.Width < 1:
		return Definition{}, fmt.Errorf("expected a width of at least 1, got %d", c.Width)
	}
	d := Definition{
		Name: fmt.Sprintf("resnet-cifar-%d-%d", c.Depth, c.Width), Classes: c.Classes,
		Input: []int{3, 32, 32}, Preprocessing: CIFAR(), Build: c.build,
	}
	if c.Fashion {
		d.Name = fmt.Sprintf("resnet-fashion-%d-%d", c.Depth, c.Width)
		d.Input, d.Preprocessing = []int{3, 28, 28}, FashionMNIST()
	}
	return d, nil
}

func (c SmallResNetConfig) build(b *graph.Builder, x *G.Node) *G.Node {
	in := c.Width
	x = b.ReLU(b.BatchNorm(b.Conv(x, "conv1", conv3x3(in, 1)), "bn1", bnEps))
	for stage := range 3 {
		for i := range (c.Depth - 2) / 6 {
			if b.Err() != nil {
				return nil
			}
			block, width, stride := fmt.Sprintf("layer%d.%d", stage+1, i), c.Width<<stage, 1
			if stage > 0 && i == 0 {
				stride = 2
			}
			y := b.ReLU(b.BatchNorm(b.Conv(x, block+".conv1", conv3x3(width, stride)), block+".bn1", bnEps))
			y = b.BatchNorm(b.Conv(y, block+".conv2", conv3x3(width, 1)), block+".bn2", bnEps)
			shortcut := x
			if in != width {
				shortcut = b.BatchNorm(b.Conv(x, block+".downsample.0", conv1x1(width, stride)), block+".downsample.1",
					bnEps)
			}
			x, in = b.Tap(block, b.ReLU(b.Add(y, shortcut))), width
		}
	}
	return b.GlobalAvgPool(x)
}
