package nets

import (
	"fmt"
	"strconv"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// WideResNetConfig describes a wide residual network for 32×32 images (Zagoruyko & Komodakis, BMVC 2016): WRN-Depth-Widen.
type WideResNetConfig struct {
	Depth   int     // number of convolutions on the longest path: 6n + 4 for n blocks in each of the three groups
	Widen   int     // factor on the 16, 32 and 64 feature maps of the groups, k
	Dropout float64 // rate between the two convolutions of a block while training, in [0, 1)
	Classes int
}

// WideResNet returns the network with all parameters zero, named as in the PyTorch checkpoints of outlier exposure
// (Hendrycks et al., ICLR 2019): conv1, block{1,2,3}.layer.i.{bn1,conv1,bn2,conv2,convShortcut}, bn1, fc.
func WideResNet(cfg WideResNetConfig) (*Network, error) {
	n, err := describeWideResNet(cfg)
	if err == nil {
		n, err = n.allocate()
	}
	if err != nil {
		return nil, fmt.Errorf("wide resnet: %w", err)
	}
	return n, nil
}

// describeWideResNet returns the network without its parameters.
func describeWideResNet(cfg WideResNetConfig) (*Network, error) {
	switch {
	case cfg.Depth < 10 || (cfg.Depth-4)%6 != 0:
		return nil, fmt.Errorf("depth %d is not 6n+4 with n ≥ 1", cfg.Depth)
	case cfg.Widen < 1:
		return nil, fmt.Errorf("widening factor %d", cfg.Widen)
	case cfg.Classes < 1:
		return nil, fmt.Errorf("%d classes", cfg.Classes)
	case !(cfg.Dropout >= 0 && cfg.Dropout < 1):
		return nil, fmt.Errorf("dropout %v is not in [0, 1)", cfg.Dropout)
	}
	w := &wideResNet{cfg: cfg, blocks: (cfg.Depth - 4) / 6}
	n := &Network{
		name:    fmt.Sprintf("wrn-%d-%d", cfg.Depth, cfg.Widen),
		classes: cfg.Classes, features: 64 * cfg.Widen, head: "fc",
		input: []int{3, 32, 32}, preprocessing: CIFAR(), build: w.build,
	}
	if cfg.Dropout > 0 {
		n.name += "-d" + strconv.FormatFloat(cfg.Dropout, 'f', -1, 64)
	}
	l := &n.layout
	l.conv("conv1", 16, 3, 3)
	in := 16
	w.each(func(block string, width, stride int) {
		l.batchNorm(block+".bn1", in)
		l.conv(block+".conv1", width, in, 3)
		l.batchNorm(block+".bn2", width)
		l.conv(block+".conv2", width, width, 3)
		if in != width {
			l.conv(block+".convShortcut", width, in, 1)
		}
		in = width
	})
	l.batchNorm("bn1", in)
	l.linear("fc", cfg.Classes, in)
	return n, nil
}

type wideResNet struct {
	cfg    WideResNetConfig
	blocks int
}

// each visits the blocks in order, with the width of their output and their stride.
func (w *wideResNet) each(visit func(block string, width, stride int)) {
	for group := range 3 {
		for i := range w.blocks {
			stride := 1
			if group > 0 && i == 0 {
				stride = 2
			}
			visit(fmt.Sprintf("block%d.layer.%d", group+1, i), 16*w.cfg.Widen<<group, stride)
		}
	}
}

func (w *wideResNet) build(b *graph.Builder, x *G.Node) *G.Node {
	x = b.Conv(x, "conv1", conv3x3(1))
	w.each(func(block string, width, stride int) {
		pre := b.ReLU(b.BatchNorm(x, block+".bn1", bnEps))
		shortcut := x
		if b.HasParam(block + ".convShortcut.weight") {
			pre = b.Tap(block+".pre", pre) // two convolutions read it
			shortcut = b.Conv(pre, block+".convShortcut", conv1x1(stride))
		}
		y := b.ReLU(b.BatchNorm(b.Conv(pre, block+".conv1", conv3x3(stride)), block+".bn2", bnEps))
		y = b.Conv(b.Dropout(y, block+".dropout", w.cfg.Dropout), block+".conv2", conv3x3(1))
		x = b.Tap(block, b.Add(y, shortcut))
	})
	return b.GlobalAvgPool(b.ReLU(b.BatchNorm(x, "bn1", bnEps)))
}
