package nets

import (
	"fmt"
	"slices"
	"strings"
)

// CIFAR returns the preprocessing of the LINe authors for CIFAR-10 and CIFAR-100 networks: 32×32 pixels, whatever the
// picture has, and CIFAR-10's means and standard deviations. A network for another size has a [Preprocessing] of its
// own.
func CIFAR() Preprocessing {
	return Preprocessing{
		Resize: 32, Crop: 32,
		Mean: [3]float32{0.4914, 0.4822, 0.4465},
		Std:  [3]float32{0.2023, 0.1994, 0.2010},
	}
}

// FashionMNIST returns the preprocessing for networks on Fashion-MNIST: 28×28 pixels with the grey value in all
// channels, and the mean and standard deviation of its training pixels.
func FashionMNIST() Preprocessing {
	return Preprocessing{
		Resize: 28, Crop: 28,
		Mean: [3]float32{0.2860, 0.2860, 0.2860},
		Std:  [3]float32{0.3530, 0.3530, 0.3530},
	}
}

// ImageNet returns the preprocessing of most networks for ImageNet-1k at 224×224 pixels: torchvision's
// ImageClassification with its defaults, which its first weights for ResNet, VGG, DenseNet and MobileNet use.
func ImageNet() Preprocessing {
	return Preprocessing{
		Resize: 256, Crop: 224,
		Mean: [3]float32{0.485, 0.456, 0.406},
		Std:  [3]float32{0.229, 0.224, 0.225},
	}
}

// PreprocessingByName returns the preprocessing that [New] gives a network of that name, and whether there is such a
// network.
func PreprocessingByName(name string) (Preprocessing, bool) {
	d, err := definitionOf(name, 1)
	return d.Preprocessing, err == nil
}

// grey returns the same value for each channel.
func grey(v float32) [3]float32 { return [3]float32{v, v, v} }

// preset is a preprocessing with a name.
type preset struct {
	name string
	Preprocessing
}

// presets lists the preprocessings that have names.
func presets() []preset {
	imageNet := ImageNet()
	bicubic := imageNet
	bicubic.Interpolation = Bicubic
	return []preset{
		{"imagenet", imageNet},
		// That of torchvision's EfficientNet-B0 (EfficientNet_B0_Weights.IMAGENET1K_V1), and of timm's networks with
		// crop_pct 0.875.
		{"imagenet-bicubic", bicubic},
		// That of Inception v3, in TensorFlow's range of -1 to 1, with the sizes of torchvision's
		// Inception_V3_Weights.IMAGENET1K_V1. Torchvision's module itself takes the mean and std of preset imagenet and
		// changes the range by itself (transform_input).
		{"inception", Preprocessing{Resize: 342, Crop: 299, Mean: grey(0.5), Std: grey(0.5)}},
		// That of vision transformers with the original weights (Dosovitskiy et al. 2021) in timm: crop_pct 0.9.
		{"vit", Preprocessing{Resize: 248, Crop: 224, Interpolation: Bicubic, Mean: grey(0.5), Std: grey(0.5)}},
		// That of CLIP's image encoders (Radford et al. 2021) at 224 pixels.
		{"clip", Preprocessing{
			Resize: 224, Crop: 224, Interpolation: Bicubic,
			Mean: [3]float32{0.48145466, 0.4578275, 0.40821073},
			Std:  [3]float32{0.26862954, 0.26130258, 0.27577711},
		}},
		// That of EfficientNet-Lite0: (v - 127) / 128. TensorFlow's own pipeline instead cuts out the centre first and
		// then resizes it to 224.
		{"efficientnet-lite", Preprocessing{Resize: 256, Crop: 224, Mean: grey(127.0 / 255), Std: grey(128.0 / 255)}},
		{"cifar10", CIFAR()},
		{"cifar100", CIFAR()},
		// That of OpenOOD's TestStandard, for the networks that OpenOOD publishes.
		{"openood-cifar10", Preprocessing{
			Resize: 32, Crop: 32,
			Mean: [3]float32{0.4914, 0.4822, 0.4465},
			Std:  [3]float32{0.2470, 0.2435, 0.2616},
		}},
		{"openood-cifar100", Preprocessing{
			Resize: 32, Crop: 32,
			Mean: [3]float32{0.5071, 0.4867, 0.4408},
			Std:  [3]float32{0.2675, 0.2565, 0.2761},
		}},
		{"fashion-mnist", FashionMNIST()},
	}
}

// Presets lists the names that [Preset] knows.
func Presets() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

// Preset returns the preprocessing of the given name, one of [Presets]. The preset cifar100 has the values of cifar10,
// as the LINe authors' networks do. An unknown name is an error that lists the known ones.
func Preset(name string) (Preprocessing, error) {
	all := presets()
	i := slices.IndexFunc(all, func(p preset) bool { return p.name == name })
	if i < 0 {
		return Preprocessing{}, fmt.Errorf("preprocessing: expected one of %s, got %q", strings.Join(Presets(), ", "),
			name)
	}
	return all[i].Preprocessing, nil
}
