package nets

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// SmallVariants returns a small network of each family of torchvision's and the CIFAR literature's networks.
func SmallVariants() []Definition {
	small := func(name, head string, height, width int, build func(b *graph.Builder, x *G.Node) *G.Node) Definition {
		return Definition{Name: name, Classes: 3, Input: []int{3, height, width}, Head: head, Build: build}
	}
	relu, swish := graph.ActReLU(), graph.ActHardSwish()
	s := swin{dim: 4, window: 3, blocks: []int{2, 2}, heads: []int{1, 2}}
	shifted := small("swin", "head", 20, 28, s.build) // 5×7 pixels in 2×3 windows of 3×3, then 3×4 in 1×2 windows
	shifted.fill = s.fill
	ones := [4]int{1, 1, 1, 1}
	return []Definition{
		small("basic", "fc", 33, 38, residual{blocks: ones, planes: 4, shortcut: "downsample"}.build),
		small("bottleneck", "fc", 33, 38, residual{
			blocks: ones, planes: 4, bottleneck: true, groups: 2, width: 32, shortcut: "downsample",
		}.build),
		small("openood", "fc", 16, 12, residual{blocks: ones, planes: 3, small: true, shortcut: "shortcut"}.build),
		small("option A", "linear", 12, 11, optionA{blocks: 2, planes: 4}.build),
		small("dense", "classifier", 32, 32, denseNet{first: 6, growth: 2, layers: []int{2, 2}}.build),
		small("vgg", "classifier.6", 11, 12, vgg{stages: [][]int{{3}, {4, 5}}, side: 3, hidden: 6}.build),
		small("mobile 2", "classifier.1", 16, 18, mobileNetV2{first: 4, last: 9, rows: [][4]int{
			{1, 4, 1, 1}, {3, 5, 2, 2},
		}}.build),
		small("mobile 3", "classifier.3", 16, 18, mobileNetV3{first: 4, last: 9, hidden: 7, blocks: []inverted{
			{4, 3, 4, 1, 2, relu}, {6, 5, 5, 2, 3, swish},
		}}.build),
		small("efficient", "classifier.1", 16, 18, efficientNet{first: 4, last: 9, rows: [][5]int{
			{1, 3, 1, 4, 1}, {3, 5, 2, 5, 2},
		}}.build),
		small("convnext", "classifier.2", 16, 18, convNeXt{channels: []int{4, 6}, blocks: []int{1, 2}}.build),
		small("vit", "heads.head", 8, 12, vit{patch: 4, dim: 6, layers: 2, heads: 2, hidden: 8}.build),
		shifted,
	}
}
