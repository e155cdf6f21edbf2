package nets

import (
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// architecture is a network with a complete name, without numbers to fill in.
type architecture struct {
	name   string
	define func(name string, classes int) Definition
}

// imageNet returns an architecture of torchvision for 224×224 images.
func imageNet(name, head string, p Preprocessing, build func(b *graph.Builder, x *G.Node) *G.Node) architecture {
	return architecture{name, func(name string, classes int) Definition {
		return Definition{
			Name: name, Classes: classes, Input: []int{3, 224, 224}, Preprocessing: p, Head: head, Build: build,
		}
	}}
}

// architectures lists the networks with complete names: those of the CIFAR literature, then torchvision's.
//
// Layers have torchvision's names, so that its published files can be loaded, and the preprocessing is that of the
// weights IMAGENET1K_V1. For training they have torchvision's dropout, but not the stochastic depth of EfficientNet,
// ConvNeXt and Swin, which leaves out whole branches at random.
func architectures() []architecture {
	var out []architecture
	for _, depth := range []int{20, 32, 44, 56, 110, 1202} {
		out = append(out, optionAResNet(depth))
	}
	return append(out,
		openOOD(),
		resNet("resnet18", false, 1, 64, 2, 2, 2, 2),
		resNet("resnet34", false, 1, 64, 3, 4, 6, 3),
		resNet("resnet50", true, 1, 64, 3, 4, 6, 3),
		resNet("resnet101", true, 1, 64, 3, 4, 23, 3),
		resNet("resnet152", true, 1, 64, 3, 8, 36, 3),
		resNet("wide_resnet50_2", true, 1, 128, 3, 4, 6, 3),
		resNet("resnext50_32x4d", true, 32, 4, 3, 4, 6, 3),
		denseNetImageNet("densenet121", 64, 32, 6, 12, 24, 16),
		denseNetImageNet("densenet161", 96, 48, 6, 12, 36, 24),
		denseNetImageNet("densenet169", 64, 32, 6, 12, 32, 32),
		denseNetImageNet("densenet201", 64, 32, 6, 12, 48, 32),
		vgg16(),
		mobileNet2(),
		mobileNet3(false),
		mobileNet3(true),
		efficientNetB0(),
		convNeXtTiny(),
		vitB16(),
		swinT(),
	)
}

// DefinitionOf returns the definition of the network that [New] makes for a name. It can be changed and given to
// [Define], for example with another Input for a network that accepts any size. An unknown name is an error that lists
// the known ones and wraps [ErrUnknown].
func DefinitionOf(name string, classes int) (Definition, error) { return definitionOf(name, classes) }
