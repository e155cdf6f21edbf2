package eval

import (
	"math/rand/v2"

	"github.com/line-ood/goline/dataset"
)

// PseudoOOD makes sets of out-of-distribution pictures from in-distribution pictures, for choosing parameters where
// no other pictures are available:
//
//   - patches: the picture cut into 4×4 patches, in random order: known textures, unknown shapes
//   - pixels: the picture's pixels in random order: known colours, unknown textures
//   - blends: the mean of the picture and another one, of another label where labels are known and some differ
//
// Each set has as many pictures as set, and reads pictures of set when one of its own is asked for. A blend has the
// size of its first picture; the second is resized to it by nearest neighbours. The same seed gives the same
// pictures.
func PseudoOOD(set dataset.Dataset, seed uint64) []dataset.Dataset {
	return []dataset.Dataset{
		&pseudo{set, "patches", seed, patches},
		&pseudo{set, "pixels", seed, pixels},
		&pseudo{set, "blends", seed, blend},
	}
}

// pseudo is a set of varied pictures.
type pseudo struct {
	dataset.Dataset
	kind string
	seed uint64
	vary func(p *pseudo, i int, img dataset.Image, rng *rand.Rand) error
}

// Name returns the kind of the pictures.
func (p *pseudo) Name() string { return p.kind }

// Labels returns nil, since the changed pictures show no class.
func (p *pseudo) Labels() []int { return nil }

// Classes returns nil.
func (p *pseudo) Classes() []string { return nil }

// ID returns the kind and the ID of the original picture.
func (p *pseudo) ID(i int) string { return p.kind + ":" + p.Dataset.ID(i) }

// Close does nothing; the caller that opened the original set must close it.
func (p *pseudo) Close() error { return nil }

// Image returns changed picture i.
func (p *pseudo) Image(i int) (dataset.Image, error) {
	img, err := p.Dataset.Image(i)
	if err != nil {
		return img, err
	}
	return img, p.vary(p, i, img, rand.New(rand.NewPCG(p.seed, uint64(i))))
}

func pixels(_ *pseudo, _ int, img dataset.Image, rng *rand.Rand) error {
	rng.Shuffle(img.Height*img.Width, func(a, b int) {
		for c := range 3 {
			img.Pix[3*a+c], img.Pix[3*b+c] = img.Pix[3*b+c], img.Pix[3*a+c]
		}
	})
	return nil
}

func patches(_ *pseudo, _ int, img dataset.Image, rng *rand.Rand) error {
	const side = 4
	h, w := img.Height/side, img.Width/side // rows and columns that do not fill a patch stay where they are
	from := append([]uint8(nil), img.Pix...)
	for to, patch := range rng.Perm(side * side) {
		for y := range h {
			dst := ((to/side*h+y)*img.Width + to%side*w) * 3
			src := ((patch/side*h+y)*img.Width + patch%side*w) * 3
			copy(img.Pix[dst:][:3*w], from[src:])
		}
	}
	return nil
}

func blend(p *pseudo, i int, img dataset.Image, rng *rand.Rand) error {
	labels, other := p.Dataset.Labels(), i
	for range 64 {
		other = rng.IntN(p.Len())
		if other != i && (labels == nil || labels[other] != labels[i]) {
			break
		}
	}
	second, err := p.Dataset.Image(other)
	if err != nil {
		return err
	}
	for y := range img.Height {
		from := second.Pix[3*second.Width*(y*second.Height/img.Height):]
		for x := range img.Width {
			at := 3 * (y*img.Width + x)
			for c, v := range from[3*(x*second.Width/img.Width):][:3] {
				img.Pix[at+c] = uint8((int(img.Pix[at+c]) + int(v) + 1) / 2)
			}
		}
	}
	return nil
}
