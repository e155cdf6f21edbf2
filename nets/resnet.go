package nets

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// residual describes a residual network with four stages (He et al., CVPR 2016), with torchvision's names of layers.
type residual struct {
	blocks     [4]int
	planes     int  // feature maps of the first stage, doubled in each further one
	bottleneck bool // blocks of 1×1, 3×3 and 1×1 convolutions, whose output has four times the feature maps
	// Groups of the 3×3 convolution in a bottleneck, and feature maps in each of them where planes is 64 (Xie et al.,
	// CVPR 2017, and Zagoruyko & Komodakis, BMVC 2016). In the plain network they are 1 and 64.
	groups, width int
	// small is the form for 32×32 images: the first convolution is 3×3 with stride 1, and no pooling follows it.
	small    bool
	shortcut string // name of the layers of a shortcut that changes the shape
}

func (r residual) build(b *graph.Builder, x *G.Node) *G.Node {
	stem := convSame(r.planes, 7, 2)
	if r.small {
		stem = conv3x3(r.planes, 1)
	}
	x = b.ReLU(b.BatchNorm(b.Conv(x, "conv1", stem), "bn1", bnEps))
	if !r.small {
		x = b.MaxPool(x, pool3x3())
	}
	in := r.planes
	for stage, blocks := range r.blocks {
		for i := range blocks {
			name, planes, stride := fmt.Sprintf("layer%d.%d", stage+1, i), r.planes<<stage, 1
			if stage > 0 && i == 0 {
				stride = 2
			}
			out := planes
			if r.bottleneck {
				out *= 4
			}
			y := r.branch(b, x, name, planes, stride)
			shortcut := x
			if stride != 1 || in != out {
				down := name + "." + r.shortcut
				shortcut = b.BatchNorm(b.Conv(x, down+".0", conv1x1(out, stride)), down+".1", bnEps)
			}
			x, in = b.Tap(name, b.ReLU(b.Add(y, shortcut))), out
		}
	}
	return b.GlobalAvgPool(x)
}

// branch adds the convolutions of a block.
func (r residual) branch(b *graph.Builder, x *G.Node, name string, planes, stride int) *G.Node {
	if !r.bottleneck {
		x = b.ReLU(b.BatchNorm(b.Conv(x, name+".conv1", conv3x3(planes, stride)), name+".bn1", bnEps))
		return b.BatchNorm(b.Conv(x, name+".conv2", conv3x3(planes, 1)), name+".bn2", bnEps)
	}
	width := planes * r.width / 64 * r.groups
	middle := conv3x3(width, stride)
	middle.Groups = r.groups
	x = b.ReLU(b.BatchNorm(b.Conv(x, name+".conv1", conv1x1(width, 1)), name+".bn1", bnEps))
	x = b.ReLU(b.BatchNorm(b.Conv(x, name+".conv2", middle), name+".bn2", bnEps))
	return b.BatchNorm(b.Conv(x, name+".conv3", conv1x1(4*planes, 1)), name+".bn3", bnEps)
}

// pool3x3 describes max pooling over 3×3 windows that halves the size.
func pool3x3() graph.PoolConfig {
	return graph.PoolConfig{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}}
}

// resNet returns the network that torchvision calls by that name.
func resNet(name string, bottleneck bool, groups, width int, blocks ...int) architecture {
	r := residual{
		blocks: [4]int(blocks), planes: 64, bottleneck: bottleneck, groups: groups, width: width,
		shortcut: "downsample",
	}
	return imageNet(name, "fc", ImageNet(), r.build)
}

// openOOD returns ResNet-18 for 32×32 images as OpenOOD trains and publishes it (openood/networks/resnet18_32x32.py).
func openOOD() architecture {
	r := residual{blocks: [4]int{2, 2, 2, 2}, planes: 64, small: true, shortcut: "shortcut"}
	return architecture{"resnet18-openood", func(name string, classes int) Definition {
		preset := "openood-cifar10"
		if classes == 100 {
			preset = "openood-cifar100"
		}
		p, _ := Preset(preset)
		return Definition{Name: name, Classes: classes, Input: []int{3, 32, 32}, Preprocessing: p, Build: r.build}
	}}
}
