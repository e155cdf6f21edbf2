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
	Classes int
	// Fashion makes the input that of Fashion-MNIST, 28×28 with its mean and standard deviation, instead of CIFAR's.
	Fashion bool
}

// SmallResNet returns the network with all parameters zero, named as torchvision names those of its residual networks:
// conv1, bn1, layer{1,2,3}.i.{conv1,bn1,conv2,bn2,downsample.0,downsample.1}, fc.
func SmallResNet(cfg SmallResNetConfig) (*Network, error) {
	n, err := describeSmallResNet(cfg)
	if err == nil {
		n, err = n.allocate()
	}
	if err != nil {
		return nil, fmt.Errorf("small resnet: %w", err)
	}
	return n, nil
}

// describeSmallResNet returns the network without its parameters.
func describeSmallResNet(cfg SmallResNetConfig) (*Network, error) {
	switch {
	case cfg.Depth < 8 || (cfg.Depth-2)%6 != 0:
		return nil, fmt.Errorf("depth %d is not 6n+2 with n ≥ 1", cfg.Depth)
	case cfg.Width < 1:
		return nil, fmt.Errorf("width %d", cfg.Width)
	case cfg.Classes < 1:
		return nil, fmt.Errorf("%d classes", cfg.Classes)
	}
	r := &smallResNet{width: cfg.Width, blocks: (cfg.Depth - 2) / 6}
	n := &Network{
		name:    fmt.Sprintf("resnet-cifar-%d-%d", cfg.Depth, cfg.Width),
		classes: cfg.Classes, features: 4 * cfg.Width, head: "fc",
		input: []int{3, 32, 32}, preprocessing: CIFAR(), build: r.build,
	}
	if cfg.Fashion {
		n.name = fmt.Sprintf("resnet-fashion-%d-%d", cfg.Depth, cfg.Width)
		n.input, n.preprocessing = []int{3, 28, 28}, FashionMNIST()
	}
	l := &n.layout
	l.conv("conv1", cfg.Width, 3, 3)
	l.batchNorm("bn1", cfg.Width)
	in := cfg.Width
	r.each(func(block string, width, stride int) {
		l.conv(block+".conv1", width, in, 3)
		l.batchNorm(block+".bn1", width)
		l.conv(block+".conv2", width, width, 3)
		l.batchNorm(block+".bn2", width)
		if in != width {
			l.conv(block+".downsample.0", width, in, 1)
			l.batchNorm(block+".downsample.1", width)
		}
		in = width
	})
	l.linear("fc", cfg.Classes, in)
	return n, nil
}

type smallResNet struct{ width, blocks int }

// each visits the blocks in order, with the width of their output and their stride.
func (r *smallResNet) each(visit func(block string, width, stride int)) {
	for stage := range 3 {
		for i := range r.blocks {
			stride := 1
			if stage > 0 && i == 0 {
				stride = 2
			}
			visit(fmt.Sprintf("layer%d.%d", stage+1, i), r.width<<stage, stride)
		}
	}
}

func (r *smallResNet) build(b *graph.Builder, x *G.Node) *G.Node {
	x = b.ReLU(b.BatchNorm(b.Conv(x, "conv1", conv3x3(1)), "bn1", bnEps))
	r.each(func(block string, width, stride int) {
		y := b.ReLU(b.BatchNorm(b.Conv(x, block+".conv1", conv3x3(stride)), block+".bn1", bnEps))
		y = b.BatchNorm(b.Conv(y, block+".conv2", conv3x3(1)), block+".bn2", bnEps)
		shortcut := x
		if b.HasParam(block + ".downsample.0.weight") {
			shortcut = b.BatchNorm(b.Conv(x, block+".downsample.0", conv1x1(stride)), block+".downsample.1", bnEps)
		}
		x = b.Tap(block, b.ReLU(b.Add(y, shortcut)))
	})
	return b.GlobalAvgPool(x)
}

func conv3x3(stride int) graph.ConvConfig {
	return graph.ConvConfig{Stride: [2]int{stride, stride}, Padding: [2]int{1, 1}}
}

func conv1x1(stride int) graph.ConvConfig { return graph.ConvConfig{Stride: [2]int{stride, stride}} }
