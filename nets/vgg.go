package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// vgg describes a network of 3×3 convolutions with batch norm (Simonyan & Zisserman, ICLR 2015).
type vgg struct {
	stages [][]int // channels of each convolution, stage by stage; pooling follows each stage
	side   int     // height and width in pixels to which feature maps are averaged before the linear layers
	hidden int     // neurons of the two layers before the head
}

func (v vgg) build(b *graph.Builder, x *G.Node) *G.Node {
	layer := 0
	for _, stage := range v.stages {
		for _, channels := range stage {
			cfg := conv3x3(channels, 1)
			cfg.Bias = true
			x = b.Conv(x, fmt.Sprintf("features.%d", layer), cfg)
			x = b.ReLU(b.BatchNorm(x, fmt.Sprintf("features.%d", layer+1), bnEps))
			layer += 3
		}
		x = b.Tap(fmt.Sprintf("features.%d", layer), b.MaxPool(x, graph.PoolConfig{Kernel: [2]int{2, 2}}))
		layer++
	}
	x = adaptiveAvgPool(b, x, v.side)
	x = b.Do(func() (*G.Node, error) { return graph.Flatten(x) })
	x = b.Dropout(b.ReLU(b.Linear(x, "classifier.0", v.hidden)), "classifier.2", 0.5)
	return b.Dropout(b.ReLU(b.Linear(x, "classifier.3", v.hidden)), "classifier.5", 0.5)
}

// adaptiveAvgPool averages x [batch, channels, height, width] to side × side pixels. As in PyTorch's AdaptiveAvgPool2d,
// pixel i of a row is the mean of pixels ⌊i·n/side⌋ to ⌈(i+1)·n/side⌉, exclusive, of n; columns likewise.
func adaptiveAvgPool(b *graph.Builder, x *G.Node, side int) *G.Node {
	if b.Err() != nil {
		return nil
	}
	s := x.Shape()
	if s[2] != side {
		rows := adaptiveMeans(b, s[2], side)
		full := x
		x = b.Do(func() (*G.Node, error) { return graph.MatMul(rows, full) })
	}
	if s[3] != side {
		columns := transpose(b, adaptiveMeans(b, s[3], side))
		full := x
		x = b.Do(func() (*G.Node, error) { return graph.MatMul(full, columns) })
	}
	return x
}

// adaptiveMeans returns the matrix [side, n] that maps n pixels to side means.
func adaptiveMeans(b *graph.Builder, n, side int) *G.Node {
	return b.Constant(fmt.Sprintf("means of %d", n), func() []float64 {
		out := make([]float64, side*n)
		for i := range side {
			from, to := i*n/side, ((i+1)*n+side-1)/side
			for j := from; j < to; j++ {
				out[i*n+j] = 1 / float64(to-from)
			}
		}
		return out
	}, side, n)
}

func vgg16() architecture {
	v := vgg{
		stages: [][]int{{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}}, side: 7, hidden: 4096,
	}
	return imageNet("vgg16_bn", "classifier.6", ImageNet(), v.build)
}
