package nets

import "github.com/line-ood/goline/graph"

// bnEps is what PyTorch's BatchNorm2d adds to the variance by default.
const bnEps = 1e-5

// conv3x3 describes a convolution of 3×3 that keeps the size of its input, divided by the stride.
func conv3x3(out, stride int) graph.ConvConfig {
	return graph.ConvConfig{Out: out, Kernel: [2]int{3, 3}, Stride: [2]int{stride, stride}, Padding: [2]int{1, 1}}
}

// conv1x1 describes a convolution of single pixels.
func conv1x1(out, stride int) graph.ConvConfig {
	return graph.ConvConfig{Out: out, Kernel: [2]int{1, 1}, Stride: [2]int{stride, stride}}
}
