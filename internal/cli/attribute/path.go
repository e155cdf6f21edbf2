package attribute

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/line/eval"
)

// pathSteps is the number of steps from the black picture to the image.
const pathSteps = 16

// dimmed returns the penultimate activations of chosen image number k at rising brightness: from black to the image
// itself in pathSteps even steps, each rounded to whole levels of brightness.
//
// Shapes: result [points][neurons].
func (s *stage) dimmed(ctx context.Context, options eval.Options, in images, k int) ([][]float64, error) {
	i := in.pick[k]
	full, err := in.Image(i)
	if err != nil {
		return nil, err
	}
	pictures := make([]dataset.Image, pathSteps+1)
	for p := range pictures {
		pictures[p] = dataset.Image{Pix: make([]uint8, len(full.Pix)), Height: full.Height, Width: full.Width}
		for j, v := range full.Pix {
			pictures[p].Pix[j] = uint8((int(v)*p + pathSteps/2) / pathSteps)
		}
	}
	set, err := dataset.FromImages(fmt.Sprintf("%s, dimmed", in.ID(i)), pictures, nil, nil)
	if err != nil {
		return nil, err
	}
	// no folder for features: nobody else can use these
	x, err := command.NewExtractor(s.network, "", s.weightsSHA, options)
	if err != nil {
		return nil, err
	}
	found, err := x.Find(ctx, set, "data")
	if err != nil {
		return nil, fmt.Errorf("image %d (%s), dimmed: %w", i, in.ID(i), err)
	}
	return rows(found, choose(0, found.N, 0, 0)), nil
}
