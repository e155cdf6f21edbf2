package nets

import (
	"fmt"
	"strconv"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// WideResNetConfig describes a wide residual network for 32×32 images (Zagoruyko & Komodakis, BMVC 2016):
// WRN-Depth-Widen.
type WideResNetConfig struct {
	Depth   int     // number of convolutions on the longest path: 6n + 4 for n blocks in each of the three groups
	Widen   int     // factor on the 16, 32 and 64 feature maps of the groups, k
	Dropout float64 // rate between the two convolutions of a block while training, in [0, 1)
	Classes int     // at least 1
}

// WideResNet returns the network with all parameters zero, named as in the PyTorch checkpoints of outlier exposure
// (Hendrycks et al., ICLR 2019): conv1, block{1,2,3}.layer.i.{bn1,conv1,bn2,conv2,convShortcut}, bn1, fc. It takes
// [batch, 3, 32, 32]. It is an error if the configuration describes no such network, or one of more than 2^30 parameter
// values.
func WideResNet(cfg WideResNetConfig) (*Network, error) {
	d, err := cfg.definition()
	if err != nil {
		return nil, fmt.Errorf("nets: wide resnet: %w", err)
	}
	return Define(d)
}

func (c WideResNetConfig) definition() (Definition, error) {
	switch {
	case c.Depth < 10 || (c.Depth-4)%6 != 0:
		return Definition{}, fmt.Errorf("expected a depth of 6n+4 with n ≥ 1, got %d", c.Depth)
	case c.Widen < 1:
		return Definition{}, fmt.Errorf("expected a widening factor of at least 1, got %d", c.Widen)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return Definition{}, fmt.Errorf("expected a dropout rate in [0, 1), got %v", c.Dropout)
	}
	name := fmt.Sprintf("wrn-%d-%d", c.Depth, c.Widen)
	if c.Dropout > 0 {
		name += "-d" + strconv.FormatFloat(c.Dropout, 'f', -1, 64)
	}
	return Definition{
		Name: name, Classes: c.Classes, Input: []int{3, 32, 32}, Preprocessing: CIFAR(), Build: c.build,
	}, nil
}

func (c WideResNetConfig) build(b *graph.Builder, x *G.Node) *G.Node {
	in := 16
	x = b.Conv(x, "conv1", conv3x3(in, 1))
	for group := range 3 {
		for i := range (c.Depth - 4) / 6 {
			if b.Err() != nil {
				return nil
			}
			block, width, stride := fmt.Sprintf("block%d.layer.%d", group+1, i), 16*c.Widen<<group, 1
			if group > 0 && i == 0 {
				stride = 2
			}
			pre, shortcut := b.ReLU(b.BatchNorm(x, block+".bn1", bnEps)), x
			if in != width {
				pre = b.Tap(block+".pre", pre) // tapped, because two convolutions read it
			}
			y := b.ReLU(b.BatchNorm(b.Conv(pre, block+".conv1", conv3x3(width, stride)), block+".bn2", bnEps))
			y = b.Conv(b.Dropout(y, block+".dropout", c.Dropout), block+".conv2", conv3x3(width, 1))
			if in != width {
				shortcut = b.Conv(pre, block+".convShortcut", conv1x1(width, stride))
			}
			x, in = b.Tap(block, b.Add(y, shortcut)), width
		}
	}
	return b.GlobalAvgPool(b.ReLU(b.BatchNorm(x, "bn1", bnEps)))
}
