package nets

import (
	"fmt"
	"math"
	"strconv"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// bnEps is what PyTorch's BatchNorm2d adds to the variance by default.
const bnEps = 1e-5

// DenseNetBCConfig describes a DenseNet with bottlenecks and compression for 32×32 images (Huang et al., CVPR 2017,
// section 4). A Reduction of zero means 0.5.
type DenseNetBCConfig struct {
	Depth     int     // number of layers with weights: 6n + 4 for n layers in each of the three blocks
	Growth    int     // feature maps that each layer adds, k
	Reduction float64 // share of feature maps that a transition keeps, in (0, 1]
	Classes   int
}

// DenseNetBC returns the network with all parameters zero, named as in the checkpoints of the DICE and LINe authors:
// conv1, block{1,2,3}.layer.i.{bn1,conv1,bn2,conv2}, trans{1,2}.{bn1,conv1}, bn1, fc. It takes [batch, 3, 32, 32].
// It errors for a configuration that describes no such network, or one of more than 2^30 parameter values.
func DenseNetBC(cfg DenseNetBCConfig) (*Network, error) {
	n, err := describeDenseNetBC(cfg)
	if err == nil {
		n, err = n.allocate()
	}
	if err != nil {
		return nil, fmt.Errorf("densenet-bc: %w", err)
	}
	return n, nil
}

// describeDenseNetBC returns the network without its parameters.
func describeDenseNetBC(cfg DenseNetBCConfig) (*Network, error) {
	if cfg.Reduction == 0 {
		cfg.Reduction = 0.5
	}
	switch {
	case cfg.Depth < 10 || (cfg.Depth-4)%6 != 0:
		return nil, fmt.Errorf("depth %d is not 6n+4 with n ≥ 1", cfg.Depth)
	case cfg.Growth < 1:
		return nil, fmt.Errorf("growth %d, expected at least 1", cfg.Growth)
	case cfg.Classes < 1:
		return nil, fmt.Errorf("%d classes, expected at least 1", cfg.Classes)
	case !(cfg.Reduction > 0 && cfg.Reduction <= 1):
		return nil, fmt.Errorf("reduction %v is not in (0, 1]", cfg.Reduction)
	}
	d := &denseNet{cfg: cfg, layers: (cfg.Depth - 4) / 6}
	name := fmt.Sprintf("densenet-bc-%d-%d", cfg.Depth, cfg.Growth)
	if cfg.Reduction != 0.5 {
		name += "-r" + strconv.FormatFloat(cfg.Reduction, 'f', -1, 64)
	}
	n := &Network{
		name: name, classes: cfg.Classes, input: []int{3, 32, 32}, head: "fc", preprocessing: CIFAR(), build: d.build,
	}
	l := &n.layout
	channels := 2 * cfg.Growth
	l.conv("conv1", channels, 3, 3)
	for block := range d.widths {
		name := fmt.Sprintf("block%d", block+1)
		for i := range d.layers {
			if l.err != nil {
				return nil, l.err
			}
			in := channels + i*cfg.Growth
			layer := fmt.Sprintf("%s.layer.%d", name, i)
			l.batchNorm(layer+".bn1", in)
			l.conv(layer+".conv1", 4*cfg.Growth, in, 1)
			l.batchNorm(layer+".bn2", 4*cfg.Growth)
			l.conv(layer+".conv2", cfg.Growth, 4*cfg.Growth, 3)
		}
		channels += d.layers * cfg.Growth
		d.widths[block] = channels
		if block < len(d.widths)-1 {
			name := fmt.Sprintf("trans%d", block+1)
			kept := int(math.Floor(float64(channels) * cfg.Reduction))
			l.batchNorm(name+".bn1", channels)
			l.conv(name+".conv1", kept, channels, 1)
			channels = kept
		}
	}
	l.batchNorm("bn1", channels)
	l.linear("fc", cfg.Classes, channels)
	n.features = channels
	if l.err != nil {
		return nil, l.err
	}
	return n, nil
}

type denseNet struct {
	cfg    DenseNetBCConfig
	layers int    // in each block
	widths [3]int // channels at the end of each block
}

func (d *denseNet) build(b *graph.Builder, x *G.Node) *G.Node {
	same := graph.ConvConfig{Padding: [2]int{1, 1}}
	x = b.Conv(x, "conv1", same)
	for block, width := range d.widths {
		name := fmt.Sprintf("block%d", block+1)
		x = b.DenseBlock(x, width, d.layers, func(i int, x *G.Node) *G.Node {
			layer := fmt.Sprintf("%s.layer.%d", name, i)
			y := b.Conv(b.ReLU(b.BatchNorm(x, layer+".bn1", bnEps)), layer+".conv1", graph.ConvConfig{})
			return b.Conv(b.ReLU(b.BatchNorm(y, layer+".bn2", bnEps)), layer+".conv2", same)
		})
		x = b.Tap(name, x)
		if block < len(d.widths)-1 {
			name := fmt.Sprintf("trans%d", block+1)
			x = b.Conv(b.ReLU(b.BatchNorm(x, name+".bn1", bnEps)), name+".conv1", graph.ConvConfig{})
			x = b.Tap(name, b.AvgPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}}))
		}
	}
	return b.GlobalAvgPool(b.ReLU(b.BatchNorm(x, "bn1", bnEps)))
}
