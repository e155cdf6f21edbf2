package games

import (
	"fmt"

	"github.com/line-ood/goline/internal/mathx"
)

// Head is the final linear layer of a network, l = W z + b, over D penultimate neurons and K classes.
// It is read-only and may be shared by any number of games.
type Head struct {
	classes, neurons int
	weights          []float64 // [neurons, classes]: a neuron's weights lie together
	bias             []float64 // [classes]
}

// NewHead copies the weights and the bias of a final layer. It is an error when the shapes do not fit, there are no
// classes or neurons, or a number is not finite.
//
// Shapes: weight [classes, neurons], row-major; bias [classes].
func NewHead(weight, bias []float64) (*Head, error) {
	k := len(bias)
	if k == 0 || len(weight) == 0 || len(weight)%k != 0 {
		return nil, fmt.Errorf("attribution: head of %d weights and %d biases, expected weight [classes, neurons], bias [classes]",
			len(weight), k)
	}
	if i := mathx.FirstNotFinite(weight); i >= 0 {
		return nil, fmt.Errorf("attribution: head weight %d is %v", i, weight[i])
	}
	if i := mathx.FirstNotFinite(bias); i >= 0 {
		return nil, fmt.Errorf("attribution: head bias %d is %v", i, bias[i])
	}
	d := len(weight) / k
	h := &Head{classes: k, neurons: d, weights: make([]float64, len(weight)), bias: append([]float64(nil), bias...)}
	for c := range k {
		for i := range d {
			h.weights[i*k+c] = weight[c*d+i]
		}
	}
	return h, nil
}

// Classes is the number of classes K.
func (h *Head) Classes() int { return h.classes }

// Neurons is the number of penultimate neurons D.
func (h *Head) Neurons() int { return h.neurons }

// Logits writes W z + b.
//
// Shapes: z [neurons], dst [classes].
func (h *Head) Logits(z, dst []float64) {
	copy(dst, h.bias)
	addColumns(dst, h.weights, z)
}

// addColumns adds Σ_i x_i w_i to dst, w_i row i of the matrix weights [len(x), len(dst)].
func addColumns(dst, weights, x []float64) {
	k := len(dst)
	for i, xi := range x {
		if xi == 0 {
			continue
		}
		for c, w := range weights[i*k : (i+1)*k] {
			dst[c] += xi * w
		}
	}
}

// Float64s converts activations or weights as networks hold them.
func Float64s(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
