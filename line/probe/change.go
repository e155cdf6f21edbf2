package probe

import (
	"cmp"
	"slices"

	"github.com/line-ood/goline/nets"
)

// change returns n images [image, channel, pixel] changed along a gradient of the same shape, in the way that the
// need asks for.
func (n need) change(x, gradient []float32, images int, p nets.Preprocessing) []float32 {
	if n.kind == odinLogits {
		return step(x, gradient, images, n.params["eps"], p)
	}
	out := slices.Clone(x)
	size := len(x) / images
	for i := range images {
		blur(out[i*size:(i+1)*size], gradient[i*size:(i+1)*size], n.params["o"], float32(n.params["eps"]))
	}
	return out
}

// step changes every value by eps in the direction that increases the objective. eps is in units of pixels in [0, 1]:
// normalised values change by eps divided by the channel's standard deviation (ODIN; Liang et al., ICLR 2018,
// equation 2). A gradient of zero counts as negative, because the authors' loss has the opposite sign and their code
// counts zero as positive.
func step(x, gradient []float32, images int, eps float64, p nets.Preprocessing) []float32 {
	out := make([]float32, len(x))
	channel := 3
	size := len(x) / images
	for i := range out {
		c := i % size / (size / channel)
		if p.Layout == nets.NHWC {
			c = i % channel
		}
		by := eps
		if p.Std[c] > 0 {
			by /= float64(p.Std[c])
		}
		if !(gradient[i] > 0) {
			by = -by
		}
		out[i] = float32(float64(x[i]) + by)
	}
	return out
}

// blur changes the values of one image with the smallest gradients, a share o of all values, by eps along the
// gradient's sign (AdaSCALE; Regmi, 2025). Ties are taken in the order of indices.
func blur(x, gradient []float32, o float64, eps float32) {
	n := int(float64(len(x)) * o)
	order := make([]int32, len(x))
	for i := range order {
		order[i] = int32(i)
	}
	size := func(i int32) float32 { return max(gradient[i], -gradient[i]) }
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(size(a), size(b)), cmp.Compare(a, b))
	})
	for _, i := range order[:n] {
		switch {
		case gradient[i] > 0:
			x[i] += eps
		case gradient[i] < 0:
			x[i] -= eps
		}
	}
}
