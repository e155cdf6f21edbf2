package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// inverted is an inverted residual block, whose shortcut joins its narrow ends (Sandler et al., CVPR 2018, section 3):
// a 1×1 convolution to more channels, a depthwise convolution, and a 1×1 convolution to fewer channels without an
// activation.
type inverted struct {
	expanded int // channels in the middle
	kernel   int // of the depthwise convolution
	out      int
	stride   int
	squeeze  int // channels between the two layers of squeeze and excitation; 0 for none
	a        graph.Activation
}

// inside holds the differences between the blocks of the families.
type inside struct {
	eps         float64 // of batch norm
	gateA, gate graph.Activation
	// flat says that the last convolution and its norm have names beside those of the layers before, not below a name
	// of their own.
	flat bool
}

// block adds an inverted residual block to x, which has in channels. Its layers are called name.0, name.1 and so on.
func (n inside) block(b *graph.Builder, x *G.Node, name string, in int, c inverted) *G.Node {
	layer := 0
	next := func() string {
		layer++
		return fmt.Sprintf("%s.%d", name, layer-1)
	}
	y := x
	if c.expanded != in {
		y = convNorm(b, y, next(), conv1x1(c.expanded, 1), n.eps, c.a)
	}
	y = convNorm(b, y, next(), depthwise(c.expanded, c.kernel, c.stride), n.eps, c.a)
	if c.squeeze > 0 {
		y = n.excite(b, y, next(), c.expanded, c.squeeze)
	}
	if n.flat {
		y = b.BatchNorm(b.Conv(y, next(), conv1x1(c.out, 1)), next(), n.eps)
	} else {
		y = convNorm(b, y, next(), conv1x1(c.out, 1), n.eps, graph.ActIdentity())
	}
	if c.stride == 1 && in == c.out {
		y = b.Add(y, x)
	}
	return y
}

// excite adds squeeze and excitation (Hu et al., CVPR 2018): each channel of x is multiplied by a gate from 0 to 1. Two
// 1×1 convolutions, name.fc1 and name.fc2, compute the gates from the means of all channels.
func (n inside) excite(b *graph.Builder, x *G.Node, name string, channels, squeeze int) *G.Node {
	if b.Err() != nil {
		return nil
	}
	narrow, wide := conv1x1(squeeze, 1), conv1x1(channels, 1)
	narrow.Bias, wide.Bias = true, true
	gate := reshape(b, b.GlobalAvgPool(x), x.Shape()[0], channels, 1, 1)
	gate = b.Activate(b.Conv(gate, name+".fc1", narrow), n.gateA)
	gate = b.Activate(b.Conv(gate, name+".fc2", wide), n.gate)
	return b.Do(func() (*G.Node, error) { return graph.Mul(x, gate) })
}

// mobileNetV2 describes MobileNetV2 (Sandler et al., CVPR 2018, table 2).
type mobileNetV2 struct {
	first, last int // channels of the first and of the last convolution
	// rows lists, for each row of blocks: expansion factor, channels, number of blocks, stride of the first.
	rows [][4]int
}

func (m mobileNetV2) build(b *graph.Builder, x *G.Node) *G.Node {
	relu6 := graph.ActReLU6()
	n := inside{eps: bnEps, flat: true}
	x, in := b.Tap("features.0", convNorm(b, x, "features.0", conv3x3(m.first, 2), bnEps, relu6)), m.first
	i := 1
	for _, row := range m.rows {
		for block := range row[2] {
			c := inverted{expanded: row[0] * in, kernel: 3, out: row[1], stride: 1, a: relu6}
			if block == 0 {
				c.stride = row[3]
			}
			name := fmt.Sprintf("features.%d", i)
			x, in = b.Tap(name, n.block(b, x, name+".conv", in, c)), c.out
			i++
		}
	}
	x = convNorm(b, x, fmt.Sprintf("features.%d", i), conv1x1(m.last, 1), bnEps, relu6)
	return b.Dropout(b.GlobalAvgPool(x), "classifier.0", 0.2)
}

func mobileNet2() architecture {
	m := mobileNetV2{first: 32, last: 1280, rows: [][4]int{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	}}
	return imageNet("mobilenet_v2", "classifier.1", ImageNet(), m.build)
}

// mobileNetV3 describes MobileNetV3 (Howard et al., ICCV 2019, tables 1 and 2).
type mobileNetV3 struct {
	first, last, hidden int // channels of the first and the last convolution, neurons of the layer before the head
	blocks              []inverted
}

func (m mobileNetV3) build(b *graph.Builder, x *G.Node) *G.Node {
	const eps = 1e-3
	swish := graph.ActHardSwish()
	n := inside{eps: eps, gateA: graph.ActReLU(), gate: graph.ActHardSigmoid(1.0/6, 0.5)}
	x, in := b.Tap("features.0", convNorm(b, x, "features.0", conv3x3(m.first, 2), eps, swish)), m.first
	for i, c := range m.blocks {
		name := fmt.Sprintf("features.%d", i+1)
		x, in = b.Tap(name, n.block(b, x, name+".block", in, c)), c.out
	}
	x = b.GlobalAvgPool(convNorm(b, x, fmt.Sprintf("features.%d", len(m.blocks)+1), conv1x1(m.last, 1), eps, swish))
	return b.Dropout(b.Activate(b.Linear(x, "classifier.0", m.hidden), swish), "classifier.2", 0.2)
}

// mobileNet3 returns MobileNetV3, large or small.
func mobileNet3(large bool) architecture {
	relu, swish := graph.ActReLU(), graph.ActHardSwish()
	if large {
		return imageNet("mobilenet_v3_large", "classifier.3", ImageNet(), mobileNetV3{first: 16, last: 960,
			hidden: 1280,
			blocks: []inverted{
				{16, 3, 16, 1, 0, relu}, {64, 3, 24, 2, 0, relu}, {72, 3, 24, 1, 0, relu},
				{72, 5, 40, 2, 24, relu}, {120, 5, 40, 1, 32, relu}, {120, 5, 40, 1, 32, relu},
				{240, 3, 80, 2, 0, swish}, {200, 3, 80, 1, 0, swish}, {184, 3, 80, 1, 0, swish},
				{184, 3, 80, 1, 0, swish},
				{480, 3, 112, 1, 120, swish}, {672, 3, 112, 1, 168, swish},
				{672, 5, 160, 2, 168, swish}, {960, 5, 160, 1, 240, swish}, {960, 5, 160, 1, 240, swish},
			}}.build)
	}
	return imageNet("mobilenet_v3_small", "classifier.3", ImageNet(), mobileNetV3{first: 16, last: 576, hidden: 1024,
		blocks: []inverted{
			{16, 3, 16, 2, 8, relu}, {72, 3, 24, 2, 0, relu}, {88, 3, 24, 1, 0, relu},
			{96, 5, 40, 2, 24, swish}, {240, 5, 40, 1, 64, swish}, {240, 5, 40, 1, 64, swish},
			{120, 5, 48, 1, 32, swish}, {144, 5, 48, 1, 40, swish},
			{288, 5, 96, 2, 72, swish}, {576, 5, 96, 1, 144, swish}, {576, 5, 96, 1, 144, swish},
		}}.build)
}
