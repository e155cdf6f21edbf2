// Package pictures makes small pictures for the examples: stripes in three directions, which networks learn, and
// checks, which they do not.
package pictures

import (
	"image"
	"image/color"
	"math/rand/v2"

	"github.com/line-ood/goline/dataset"
)

// Side is the width and height of every picture in pixels.
const Side = 16

// Kinds are the names of the classes, in the order of their labels.
var Kinds = []string{"horizontal", "vertical", "diagonal"}

// Checks is the number of one more kind of pictures, which is not a class.
const Checks = 3

// New draws one picture of a kind, with noise.
func New(kind int, rng *rand.Rand) image.Image {
	img, shift := image.NewRGBA(image.Rect(0, 0, Side, Side)), rng.IntN(4)
	for y := range Side {
		for x := range Side {
			on := []bool{(y+shift)/2%2 == 0, (x+shift)/2%2 == 0, (x+y+shift)/2%2 == 0, (x/4+y/4+shift)%2 == 0}[kind]
			v := uint8(40 + rng.IntN(60))
			if on {
				v += 120
			}
			img.SetRGBA(x, y, color.RGBA{v, v, v, 255})
		}
	}
	return img
}

// Set makes n pictures of the given kinds, which take turns. The pictures are labelled if each kind is a class.
func Set(name string, n int, seed uint64, kinds ...int) dataset.Dataset {
	rng := rand.New(rand.NewPCG(seed, 1))
	var images []dataset.Image
	var labels []int
	for i := range n {
		kind := kinds[i%len(kinds)]
		images, labels = append(images, dataset.FromImage(New(kind, rng))), append(labels, kind)
		if kind >= len(Kinds) {
			labels[i] = -1
		}
	}
	set, err := dataset.FromImages(name, images, labels, Kinds)
	if err != nil {
		panic(err) // cannot happen for the arguments of the examples
	}
	return set
}
