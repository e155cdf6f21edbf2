package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// Rival returns the index of the largest of x [batch, classes] other than class [batch], the first of equals: [batch] of int.
// It needs at least two classes. It has no gradient.
func Rival(x, class *G.Node) (*G.Node, error) {
	if err := wantDims("Rival", 2, x); err != nil {
		return nil, err
	}
	shape := x.Shape()
	if err := wantShape("Rival", "class", class, shape[0]); err != nil {
		return nil, err
	}
	if shape[1] < 2 {
		return nil, fmt.Errorf("Rival: input %v has one class", shape)
	}
	run := rivalRun[float32]
	if x.Dtype() == tensor.Float64 {
		run = rivalRun[float64]
	}
	return apply("Rival", &intFn{run: run}, tensor.Int, tensor.Shape{shape[0]}, x, class)
}

func rivalRun[T kernel.Float](out []int, in []G.Value) error {
	x, err := arrayOf[T](in[0])
	if err != nil {
		return err
	}
	class, err := sliceOf[int](in[1])
	if err != nil {
		return err
	}
	for i := range out {
		row := x.sample(i)
		best := -1
		for j, v := range row {
			if j != class[i] && (best < 0 || v > row[best]) {
				best = j
			}
		}
		out[i] = best
	}
	return nil
}
