package train

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/line-ood/goline/internal/splitmix"
)

// Augmentation says how training images are varied. The zero value does not vary them.
type Augmentation struct {
	// Crop pads images with that many black pixels on each side and cuts out a random part of the original size.
	Crop int
	// Flip mirrors images left to right with probability 1/2.
	Flip bool
	// Cutout sets a square with sides of that many pixels to the mean, with its centre anywhere in the image (DeVries
	// and Taylor 2017).
	Cutout int
	// Mixup blends each image and its target with those of another image. The share of the first is drawn from
	// Beta(Mixup, Mixup) (Zhang et al., ICLR 2018).
	Mixup float64
}

func (a Augmentation) check(height, width int) error {
	switch {
	case a.Crop < 0:
		return configf("crop: expected 0 or more pixels of padding, got %d", a.Crop)
	case a.Cutout < 0:
		return configf("cutout: expected 0 or more pixels, got %d", a.Cutout)
	case a.Crop > min(height, width):
		return configf("crop: expected 0 to %d pixels of padding on images of %d×%d, got %d", min(height, width),
			height, width, a.Crop)
	case a.Cutout > 2*min(height, width):
		return configf("cutout: expected 0 to %d pixels on images of %d×%d, got %d", 2*min(height, width), height,
			width, a.Cutout)
	case !(a.Mixup >= 0) || math.IsInf(a.Mixup, 0):
		return configf("mixup: expected a finite number of at least 0, got %v", a.Mixup)
	}
	return nil
}

// stream returns the random generator of one image in one epoch.
func stream(seed uint64, epoch, index int) *rand.Rand {
	return rand.New(rand.NewPCG(splitmix.Combine(seed, uint64(epoch)+1), splitmix.Combine(uint64(index), 0x617567)))
}

// vary writes a varied copy of the image src [3, height, width] to dst; black is the value of a black pixel in each
// channel.
func (a Augmentation) vary(dst, src []float32, height, width int, black [3]float32, r *rand.Rand) {
	dy, dx := 0, 0
	if a.Crop > 0 {
		dy, dx = r.IntN(2*a.Crop+1)-a.Crop, r.IntN(2*a.Crop+1)-a.Crop
	}
	mirror := a.Flip && r.IntN(2) == 1
	for c := range 3 {
		for y := range height {
			row := dst[(c*height+y)*width:][:width]
			for x := range row {
				sx := x
				if mirror {
					sx = width - 1 - x
				}
				sx += dx
				if sy := y + dy; sy < 0 || sy >= height || sx < 0 || sx >= width {
					row[x] = black[c]
				} else {
					row[x] = src[(c*height+sy)*width+sx]
				}
			}
		}
	}
	if a.Cutout > 0 {
		y0, x0 := r.IntN(height)-a.Cutout/2, r.IntN(width)-a.Cutout/2
		for c := range 3 {
			for y := max(y0, 0); y < min(y0+a.Cutout, height); y++ {
				for x := max(x0, 0); x < min(x0+a.Cutout, width); x++ {
					dst[(c*height+y)*width+x] = 0 // the mean of the normalised pixels
				}
			}
		}
	}
}

// partner draws the index of the image to blend with, and the share of the first image.
func (a Augmentation) partner(n int, r *rand.Rand) (index int, share float64) {
	index = r.IntN(n)
	share = distuv.Beta{Alpha: a.Mixup, Beta: a.Mixup, Src: r}.Rand()
	// NaN: both gamma variates of the ratio are 0, and nearly all of the distribution's mass is at its ends
	if share != share {
		share = float64(r.IntN(2))
	}
	return index, share
}
