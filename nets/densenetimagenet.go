package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// denseNet describes a DenseNet-BC for ImageNet (Huang et al., CVPR 2017, table 1).
type denseNet struct {
	first, growth int // channels of the first convolution, and channels that each layer adds
	layers        []int
}

func (d denseNet) build(b *graph.Builder, x *G.Node) *G.Node {
	channels := d.first
	x = b.Conv(x, "features.conv0", convSame(channels, 7, 2))
	x = b.MaxPool(b.ReLU(b.BatchNorm(x, "features.norm0", bnEps)), pool3x3())
	for i, layers := range d.layers {
		name := fmt.Sprintf("features.denseblock%d", i+1)
		channels += layers * d.growth
		x = b.DenseBlock(x, channels, layers, func(j int, x *G.Node) *G.Node {
			layer := fmt.Sprintf("%s.denselayer%d", name, j+1)
			y := b.Conv(b.ReLU(b.BatchNorm(x, layer+".norm1", bnEps)), layer+".conv1", conv1x1(4*d.growth, 1))
			return b.Conv(b.ReLU(b.BatchNorm(y, layer+".norm2", bnEps)), layer+".conv2", conv3x3(d.growth, 1))
		})
		x = b.Tap(name, x)
		if i+1 < len(d.layers) {
			name := fmt.Sprintf("features.transition%d", i+1)
			channels /= 2
			x = b.Conv(b.ReLU(b.BatchNorm(x, name+".norm", bnEps)), name+".conv", conv1x1(channels, 1))
			x = b.Tap(name, b.AvgPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}}))
		}
	}
	return b.GlobalAvgPool(b.ReLU(b.BatchNorm(x, "features.norm5", bnEps)))
}

// denseNetImageNet returns the DenseNet that torchvision calls by that name.
func denseNetImageNet(name string, first, growth int, layers ...int) architecture {
	return imageNet(name, "classifier", ImageNet(), denseNet{first, growth, layers}.build)
}
