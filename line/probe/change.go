package probe

import (
	"cmp"
	"slices"

	"github.com/line-ood/goline/nets"
)

// change returns n images [image, channel, pixel] changed along a gradient of the same shape.
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

// step moves every value by eps towards a larger objective: eps is in units of pixels in [0, 1], so that normalised
// values move by eps divided by the channel's standard deviation (ODIN; Liang et al., ICLR 2018, equation 2). A
// gradient of zero counts as negative here, as the authors' loss, of the opposite sign, counts it as positive.
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

// blur moves the values of one image whose gradient is smallest, a share of o of them, by eps along its sign (AdaSCALE;
// Regmi, 2025). Of equal gradients those of lower index are taken.
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
