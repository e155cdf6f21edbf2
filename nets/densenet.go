package nets

import (
	"fmt"
	"math"
	"strconv"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// DenseNetBCConfig describes a DenseNet with bottlenecks and compression for 32×32 images (Huang et al., CVPR 2017,
// section 4). A Reduction of zero means 0.5.
type DenseNetBCConfig struct {
	Depth     int     // number of layers with weights: 6n + 4 for n layers in each of the three blocks
	Growth    int     // feature maps that each layer adds, k
	Reduction float64 // share of feature maps that a transition keeps, in (0, 1]
	Classes   int     // at least 1
}

// DenseNetBC returns the network with all parameters zero, named as in the checkpoints of the DICE and LINe authors:
// conv1, block{1,2,3}.layer.i.{bn1,conv1,bn2,conv2}, trans{1,2}.{bn1,conv1}, bn1, fc. It takes [batch, 3, 32, 32]. It
// is an error if the configuration describes no such network, or one of more than 2^30 parameter values.
func DenseNetBC(cfg DenseNetBCConfig) (*Network, error) {
	d, err := cfg.definition()
	if err != nil {
		return nil, fmt.Errorf("nets: densenet-bc: %w", err)
	}
	return Define(d)
}

func (c DenseNetBCConfig) definition() (Definition, error) {
	if c.Reduction == 0 {
		c.Reduction = 0.5
	}
	switch {
	case c.Depth < 10 || (c.Depth-4)%6 != 0:
		return Definition{}, fmt.Errorf("expected a depth of 6n+4 with n ≥ 1, got %d", c.Depth)
	case c.Growth < 1:
		return Definition{}, fmt.Errorf("expected a growth of at least 1, got %d", c.Growth)
	case !(c.Reduction > 0 && c.Reduction <= 1):
		return Definition{}, fmt.Errorf("expected a reduction in (0, 1], got %v", c.Reduction)
	}
	name := fmt.Sprintf("densenet-bc-%d-%d", c.Depth, c.Growth)
	if c.Reduction != 0.5 {
		name += "-r" + strconv.FormatFloat(c.Reduction, 'f', -1, 64)
	}
	return Definition{
		Name: name, Classes: c.Classes, Input: []int{3, 32, 32}, Preprocessing: CIFAR(), Build: c.build,
	}, nil
}

func (c DenseNetBCConfig) build(b *graph.Builder, x *G.Node) *G.Node {
	layers, channels := (c.Depth-4)/6, 2*c.Growth
	x = b.Conv(x, "conv1", conv3x3(channels, 1))
	for block := 1; block <= 3; block++ {
		name := fmt.Sprintf("block%d", block)
		channels += layers * c.Growth
		x = b.DenseBlock(x, channels, layers, func(i int, x *G.Node) *G.Node {
			layer := fmt.Sprintf("%s.layer.%d", name, i)
			y := b.Conv(b.ReLU(b.BatchNorm(x, layer+".bn1", bnEps)), layer+".conv1", conv1x1(4*c.Growth, 1))
			return b.Conv(b.ReLU(b.BatchNorm(y, layer+".bn2", bnEps)), layer+".conv2", conv3x3(c.Growth, 1))
		})
		x = b.Tap(name, x)
		if block < 3 {
			name := fmt.Sprintf("trans%d", block)
			channels = int(math.Floor(float64(channels) * c.Reduction))
			x = b.Conv(b.ReLU(b.BatchNorm(x, name+".bn1", bnEps)), name+".conv1", conv1x1(channels, 1))
			x = b.Tap(name, b.AvgPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}}))
		}
	}
	return b.GlobalAvgPool(b.ReLU(b.BatchNorm(x, "bn1", bnEps)))
}
