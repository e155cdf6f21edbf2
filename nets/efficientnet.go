package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// efficientNet describes an EfficientNet (Tan & Le, ICML 2019, table 1).
type efficientNet struct {
	first, last int // channels of the first and of the last convolution
	// rows lists, for each row of blocks: expansion factor, kernel size, stride of the first block, channels, number of
	// blocks.
	rows [][5]int
}

func (e efficientNet) build(b *graph.Builder, x *G.Node) *G.Node {
	silu := graph.ActSiLU()
	n := inside{eps: bnEps, gateA: silu, gate: graph.ActSigmoid()}
	x, in := b.Tap("features.0", convNorm(b, x, "features.0", conv3x3(e.first, 2), bnEps, silu)), e.first
	for stage, row := range e.rows {
		for i := range row[4] {
			c := inverted{
				expanded: row[0] * in, kernel: row[1], out: row[3], stride: 1, squeeze: max(1, in/4), a: silu,
			}
			if i == 0 {
				c.stride = row[2]
			}
			name := fmt.Sprintf("features.%d.%d", stage+1, i)
			x, in = b.Tap(name, n.block(b, x, name+".block", in, c)), c.out
		}
	}
	x = convNorm(b, x, fmt.Sprintf("features.%d", len(e.rows)+1), conv1x1(e.last, 1), bnEps, silu)
	return b.Dropout(b.GlobalAvgPool(x), "classifier.0", 0.2)
}

func efficientNetB0() architecture {
	e := efficientNet{first: 32, last: 1280, rows: [][5]int{
		{1, 3, 1, 16, 1}, {6, 3, 2, 24, 2}, {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3}, {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4},
		{6, 3, 1, 320, 1},
	}}
	p := ImageNet()
	p.Interpolation = Bicubic
	return imageNet("efficientnet_b0", "classifier.1", p, e.build)
}
