package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// convNeXt describes a ConvNeXt (Liu et al., CVPR 2022, section 2).
type convNeXt struct {
	channels, blocks []int // for each stage
}

// nextEps is the eps of ConvNeXt's layer norms, which is added to the variance.
const nextEps = 1e-6

func (c convNeXt) build(b *graph.Builder, x *G.Node) *G.Node {
	x = channelNorm(b, b.Conv(x, "features.0.0", patches(c.channels[0], 4)), "features.0.1", nextEps)
	for stage, channels := range c.channels {
		if stage > 0 {
			name := fmt.Sprintf("features.%d", 2*stage)
			x = b.Conv(channelNorm(b, x, name+".0", nextEps), name+".1", patches(channels, 2))
			x = b.Tap(name, x)
		}
		for i := range c.blocks[stage] {
			name := fmt.Sprintf("features.%d.%d", 2*stage+1, i)
			x = b.Tap(name, b.Add(c.branch(b, x, name, channels), x))
		}
	}
	return layerNorm(b, b.GlobalAvgPool(x), "classifier.0", nextEps)
}

// branch adds the part of a block that is added to its input: a depthwise 7×7 convolution and two linear layers on the
// channels of each pixel.
func (c convNeXt) branch(b *graph.Builder, x *G.Node, name string, channels int) *G.Node {
	scale := b.Param(name+".layer_scale", channels, 1, 1)
	cfg := depthwise(channels, 7, 1)
	cfg.Bias = true
	x = transpose(b, b.Conv(x, name+".block.0", cfg), 0, 2, 3, 1)
	x = b.Linear(layerNorm(b, x, name+".block.2", nextEps), name+".block.3", 4*channels)
	x = b.Linear(b.Activate(x, graph.ActGELU()), name+".block.5", channels)
	x = transpose(b, x, 0, 3, 1, 2)
	return b.Do(func() (*G.Node, error) { return graph.Mul(x, scale) })
}

// channelNorm adds a layer norm over the channels of each pixel of x [batch, channels, height, width].
func channelNorm(b *graph.Builder, x *G.Node, name string, eps float64) *G.Node {
	return transpose(b, layerNorm(b, transpose(b, x, 0, 2, 3, 1), name, eps), 0, 3, 1, 2)
}

func convNeXtTiny() architecture {
	p := ImageNet()
	p.Resize = 236
	c := convNeXt{channels: []int{96, 192, 384, 768}, blocks: []int{3, 3, 9, 3}}
	return imageNet("convnext_tiny", "classifier.2", p, c.build)
}
