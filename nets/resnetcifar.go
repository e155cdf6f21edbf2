package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// optionA describes a residual network for 32×32 images as in its paper (He et al., CVPR 2016, section 4.2): three
// stages, and shortcuts without parameters (the paper's option A). The names of layers are those of the published
// checkpoints (github.com/akamaster/pytorch_resnet_cifar10).
type optionA struct {
	blocks int // in each stage
	planes int // feature maps of the first stage, doubled in each further one
}

func (o optionA) build(b *graph.Builder, x *G.Node) *G.Node {
	in := o.planes
	x = b.ReLU(b.BatchNorm(b.Conv(x, "conv1", conv3x3(in, 1)), "bn1", bnEps))
	for stage := range 3 {
		for i := range o.blocks {
			name, planes, stride := fmt.Sprintf("layer%d.%d", stage+1, i), o.planes<<stage, 1
			if stage > 0 && i == 0 {
				stride = 2
			}
			y := b.ReLU(b.BatchNorm(b.Conv(x, name+".conv1", conv3x3(planes, stride)), name+".bn1", bnEps))
			y = b.BatchNorm(b.Conv(y, name+".conv2", conv3x3(planes, 1)), name+".bn2", bnEps)
			shortcut := x
			if in != planes {
				shortcut = subsampled(b, x, (planes-in)/2)
			}
			x, in = b.Tap(name, b.ReLU(b.Add(y, shortcut))), planes
		}
	}
	return b.GlobalAvgPool(x)
}

// subsampled adds every second row and column of x [batch, channels, height, width], with pad channels of zeros before
// its channels and pad behind them.
func subsampled(b *graph.Builder, x *G.Node, pad int) *G.Node {
	for axis := 2; axis <= 3; axis++ {
		full := x
		x = b.Do(func() (*G.Node, error) { return graph.Slice(full, axis, 0, full.Shape()[axis], 2) })
	}
	return b.Do(func() (*G.Node, error) {
		around := []int{0, pad, 0, 0}
		return graph.Pad(x, graph.PadConfig{Before: around, After: around})
	})
}

// optionAResNet returns the network of that depth, 6n + 2.
func optionAResNet(depth int) architecture {
	p := ImageNet()
	p.Resize, p.Crop = 32, 32
	o := optionA{blocks: (depth - 2) / 6, planes: 16}
	return architecture{fmt.Sprintf("resnet%d", depth), func(name string, classes int) Definition {
		return Definition{
			Name: name, Classes: classes, Input: []int{3, 32, 32}, Preprocessing: p, Head: "linear", Build: o.build,
		}
	}}
}
