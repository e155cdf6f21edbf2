package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// RunnerUp returns, for x [batch, classes] and class [batch] of int, the index of the largest element of each sample
// other than that of its class: [batch] of int. Of equal elements the first counts; a NaN counts as larger than any
// number, as for [ArgMax]. At least two classes are needed. The result has no gradient.
func RunnerUp(x, class *G.Node) (*G.Node, error) {
	if err := wantDims("RunnerUp", 2, x); err != nil {
		return nil, err
	}
	shape := x.Shape()
	if err := wantShape("RunnerUp", "class", class, shape[0]); err != nil {
		return nil, err
	}
	if shape[1] < 2 {
		return nil, fmt.Errorf("RunnerUp: expected at least two classes, got input %v", shape)
	}
	if err := wantInts("RunnerUp", class); err != nil {
		return nil, err
	}
	fn, err := dispatch("RunnerUp", x.Dtype(),
		func() function { return &intFn{run: runnerUpRun[float32]} },
		func() function { return &intFn{run: runnerUpRun[float64]} })
	if err != nil {
		return nil, err
	}
	return onCard(argMaxCard)(apply("RunnerUp", fn, tensor.Int, tensor.Shape{shape[0]}, x, class))
}

func runnerUpRun[T kernel.Float](out []int, in []G.Value) error {
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
			if j != class[i] && (best < 0 || v > row[best] || (v != v && row[best] == row[best])) {
				best = j
			}
		}
		out[i] = best
	}
	return nil
}
