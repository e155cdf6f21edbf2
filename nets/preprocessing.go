package nets

import "github.com/line-ood/goline/graph"

// Preprocessing says how a network wants its images: how to bring them to size and how to normalise them.
// The zero value of Resize and Crop means "leave the size alone".
type Preprocessing struct {
	// Resize is the target length in pixels of the shorter side (torchvision Resize, bilinear with antialias).
	Resize int
	// Crop is the side in pixels of the central square cut out after resizing (torchvision CenterCrop).
	Crop int
	// Mean and Std normalise each channel (R, G, B) after division by 255: x = (v/255 - mean) / std.
	Mean, Std [3]float32
}

// PreprocessingOf returns what a model says of its images, and whether it says so: a [Classifier] does, or any other model with
// a method Preprocessing, unless what it returns is the zero value.
func PreprocessingOf(m graph.Model) (Preprocessing, bool) {
	p, ok := m.(interface{ Preprocessing() Preprocessing })
	if !ok {
		return Preprocessing{}, false
	}
	q := p.Preprocessing()
	return q, q != Preprocessing{}
}

// CIFAR is the preprocessing of the LINe authors for CIFAR-10 and CIFAR-100 networks.
func CIFAR() Preprocessing {
	return Preprocessing{
		Resize: 32, Crop: 32,
		Mean: [3]float32{0.4914, 0.4822, 0.4465},
		Std:  [3]float32{0.2023, 0.1994, 0.2010},
	}
}

// FashionMNIST is the preprocessing for networks on Fashion-MNIST, 28×28 pixels with the grey value in all channels: the mean
// and the standard deviation are those of its training pixels.
func FashionMNIST() Preprocessing {
	return Preprocessing{
		Resize: 28, Crop: 28,
		Mean: [3]float32{0.2860, 0.2860, 0.2860},
		Std:  [3]float32{0.3530, 0.3530, 0.3530},
	}
}
