package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// intFn is a function whose output is one int per sample.
type intFn struct {
	leaf
	run func(out []int, in []G.Value) error
}

func (f *intFn) forward(out G.Value, in []G.Value) error {
	dst, err := sliceOf[int](out)
	if err != nil {
		return err
	}
	return f.run(dst, in)
}

// ArgMax returns the index of the largest of x [batch, classes] for each sample, the first of equals: [batch] of int.
// A NaN counts as larger than any number, as in PyTorch. It has no gradient.
func ArgMax(x *G.Node) (*G.Node, error) {
	if err := wantDims("ArgMax", 2, x); err != nil {
		return nil, err
	}
	fn, err := dispatch("ArgMax", x.Dtype(),
		func() function { return &intFn{run: argMaxRun[float32]} },
		func() function { return &intFn{run: argMaxRun[float64]} })
	if err != nil {
		return nil, err
	}
	return onCard(argMaxCard)(apply("ArgMax", fn, tensor.Int, tensor.Shape{x.Shape()[0]}, x))
}

func argMaxRun[T kernel.Float](out []int, in []G.Value) error {
	x, err := arrayOf[T](in[0])
	if err != nil {
		return err
	}
	for i := range out {
		best := 0
		row := x.sample(i)
		for j, v := range row {
			if v > row[best] || (v != v && row[best] == row[best]) {
				best = j
			}
		}
		out[i] = best
	}
	return nil
}

// SelectClass returns label where it is not negative and fallback elsewhere; both [batch] of int.
func SelectClass(label, fallback *G.Node) (*G.Node, error) {
	if err := wantDims("SelectClass", 1, label); err != nil {
		return nil, err
	}
	if err := wantShape("SelectClass", "fallback", fallback, label.Shape()...); err != nil {
		return nil, err
	}
	if err := wantInts("SelectClass", label, fallback); err != nil {
		return nil, err
	}
	return onCard(selectClassCard)(apply("SelectClass", &intFn{run: selectClassRun}, tensor.Int, label.Shape(), label,
		fallback))
}

func selectClassRun(out []int, in []G.Value) error {
	label, err := sliceOf[int](in[0])
	if err != nil {
		return err
	}
	fallback, err := sliceOf[int](in[1])
	if err != nil {
		return err
	}
	for i := range out {
		if out[i] = label[i]; label[i] < 0 {
			out[i] = fallback[i]
		}
	}
	return nil
}

// Gather returns x[n, class[n]] for each sample of x [batch, classes] and class [batch] of int: [batch].
func Gather(x, class *G.Node) (*G.Node, error) {
	if err := wantDims("Gather", 2, x); err != nil {
		return nil, err
	}
	n := x.Shape()[0]
	if err := wantShape("Gather", "class", class, n); err != nil {
		return nil, err
	}
	return onCard(gatherCard)(classOp("Gather", tensor.Shape{n}, []*G.Node{x, class}, first(2),
		same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
			return onCard(scatterCard)(classOp("Gather'", x.Shape(), []*G.Node{grad, in[1]}, nil, nil,
				scatterRun[float32], scatterRun[float64]))
		}), gatherRun[float32], gatherRun[float64]))
}

func gatherRun[T kernel.Float](c *call[T]) error {
	class, err := c.ints(1)
	if err != nil {
		return err
	}
	x := c.in[0]
	for i := range x.n {
		if err := wantClass(i, class[i], x.size); err != nil {
			return err
		}
		c.out.data[i] = x.sample(i)[class[i]]
	}
	return nil
}

// wantClass fails unless the class of sample i is one of the given number of classes.
func wantClass(i, class, classes int) error {
	if class < 0 || class >= classes {
		return fmt.Errorf("sample %d of the batch: expected a class from 0 to %d, got %d", i, classes-1, class)
	}
	return nil
}

func scatterRun[T kernel.Float](c *call[T]) error {
	class, err := c.ints(1)
	if err != nil {
		return err
	}
	clear(c.out.data)
	for i := range c.out.n {
		if err := wantClass(i, class[i], c.out.size); err != nil {
			return err
		}
		c.out.sample(i)[class[i]] = c.in[0].data[i]
	}
	return nil
}
