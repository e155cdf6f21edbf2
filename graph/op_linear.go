package graph

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// Linear returns x·wᵀ + b for x [..., in] of at least two axes, w [out, in] and b [out] or nil: [..., out]. x, w and b have
// gradients. The bits of a row do not depend on how many there are.
func Linear(x, w, b *G.Node) (*G.Node, error) {
	if err := wantRank("Linear", 2, x, w); err != nil {
		return nil, err
	}
	last := x.Dims() - 1
	in, out := x.Shape()[last], w.Shape()[0]
	if err := wantShape("Linear", "weight", w, out, in); err != nil {
		return nil, err
	}
	args := []*G.Node{x, w}
	diff := []bool{true, true}
	if b != nil {
		if err := wantShape("Linear", "bias", b, out); err != nil {
			return nil, err
		}
		args, diff = append(args, b), append(diff, true)
	}
	shape := append(x.Shape()[:last].Clone(), out)
	return floatOp("Linear", shape, args, diff, linearGrad, linearRun[float32], linearRun[float64])
}

// contiguous returns the samples of a as one slice, copying them into dst only where they lie apart.
func contiguous[T any](a array[T], dst func(n int) []T) []T {
	if flat, ok := a.flat(); ok {
		return flat
	}
	out := dst(a.n * a.size)
	for i := range a.n {
		copy(out[i*a.size:], a.sample(i))
	}
	return out
}

func linearRun[T kernel.Float](c *call[T]) error {
	x, w := c.in[0], c.in[1]
	var bias []T
	if len(c.in) > 2 {
		bias = c.in[2].data
	}
	y, _ := c.out.flat()
	kernel.Linear(y, contiguous(x, c.workspace), w.data, bias, len(y)/w.n, w.size, w.n)
	return nil
}

func linearGrad(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
	x, w := in[0], in[1]
	gs = make(G.Nodes, len(in))
	if need[0] {
		gs[0], err = floatOp("Linear'x", x.Shape(), []*G.Node{grad, w}, nil, nil, linearDX[float32], linearDX[float64])
		if err != nil {
			return nil, err
		}
	}
	if need[1] {
		gs[1], err = floatOp("Linear'w", w.Shape(), []*G.Node{grad, x}, nil, nil, linearDW[float32], linearDW[float64])
		if err != nil {
			return nil, err
		}
	}
	if len(in) > 2 && need[2] {
		gs[2], err = floatOp("Linear'b", in[2].Shape(), []*G.Node{grad}, nil, nil, sumRows[float32], sumRows[float64])
	}
	return gs, err
}

func linearDX[T kernel.Float](c *call[T]) error {
	dy, w := c.in[0], c.in[1]
	dx, _ := c.out.flat()
	kernel.LinearBackwardInput(dx, dy.data, w.data, len(dx)/w.size, w.size, w.n)
	return nil
}

func linearDW[T kernel.Float](c *call[T]) error {
	dy, x := c.in[0], c.in[1]
	dw, _ := c.out.flat()
	in, out := c.out.size, c.out.n
	clear(dw)
	kernel.LinearBackwardWeight(dw, nil, contiguous(x, c.workspace), dy.data, dy.n*dy.size/out, in, out)
	return nil
}

// sumRows adds up the rows of the first input, each as long as the output.
func sumRows[T kernel.Float](c *call[T]) error {
	sum, _ := c.out.flat()
	clear(sum)
	for i := range c.in[0].n {
		for x := c.in[0].sample(i); len(x) > 0; x = x[len(sum):] {
			kernel.AddTo(sum, x[:len(sum)])
		}
	}
	return nil
}

// RoutedHead is the final layer of LINe as data: which weights a sample keeps depends on its class.
type RoutedHead struct {
	Weight *G.Node // [classes, features]
	Bias   *G.Node // [classes]
	// Contribution holds |C|, the magnitude of each neuron's mean contribution to each class: [classes, features].
	Contribution *G.Node
	// Threshold is compared, for a sample of class c, with Contribution[c, i] · Weight[j, i]: [classes].
	Threshold *G.Node
}

// RoutedLinear is LINe's weight pruning (Ahn et al., CVPR 2023, section 3.3) for a batch whose samples have different classes:
//
//	y[n, j] = Bias[j] + Σ_i z[n, i] · Weight[j, i]   over i with Contribution[c, i] · Weight[j, i] > Threshold[c], c = class[n]
//
// for z [batch, features] and class [batch] of int: [batch, classes]. The masks are evaluated on the fly; the table of all
// classes × classes × features masks never exists. Only z has a gradient: masks are constants of it.
func RoutedLinear(z, class *G.Node, h RoutedHead) (*G.Node, error) {
	const name = "RoutedLinear"
	if err := wantDims(name, 2, z, h.Weight); err != nil {
		return nil, err
	}
	n, d, k := z.Shape()[0], z.Shape()[1], h.Weight.Shape()[0]
	for _, w := range []struct {
		what  string
		node  *G.Node
		shape []int
	}{
		{"class", class, []int{n}},
		{"weight", h.Weight, []int{k, d}},
		{"bias", h.Bias, []int{k}},
		{"contribution", h.Contribution, []int{k, d}},
		{"threshold", h.Threshold, []int{k}},
	} {
		if err := wantShape(name, w.what, w.node, w.shape...); err != nil {
			return nil, err
		}
	}
	args := []*G.Node{z, h.Weight, h.Bias, h.Contribution, h.Threshold, class}
	grad := same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) {
		return classOp(name+"'z", z.Shape(), []*G.Node{grad, in[1], in[3], in[4], in[5]}, nil, nil, routedDX[float32], routedDX[float64])
	})
	return classOp(name, tensor.Shape{n, k}, args, first(len(args)), grad, routedRun[float32], routedRun[float64])
}

// row returns the row of a [classes, size] table that belongs to the class of sample i.
func row[T any](table array[T], i, class int) ([]T, error) {
	if err := wantClass(i, class, table.n); err != nil {
		return nil, err
	}
	return table.sample(class), nil
}

func routedRun[T kernel.Float](c *call[T]) error {
	z, w, b, contribution, threshold := c.in[0], c.in[1], c.in[2], c.in[3], c.in[4]
	class, err := c.ints(5)
	if err != nil {
		return err
	}
	for i, k := range class {
		if err := wantClass(i, k, contribution.n); err != nil {
			return err
		}
	}
	dst, whole := c.out.flat()
	src, contiguous := z.flat()
	if whole && contiguous {
		kernel.RoutedLinearBatch(dst, src, w.data, b.data, contribution.data, class, threshold.data, z.size, c.out.size)
		return nil
	}
	for i, k := range class {
		kernel.RoutedLinear(c.out.sample(i), z.sample(i), w.data, b.data, contribution.sample(k), threshold.data[k], z.size, c.out.size)
	}
	return nil
}

func routedDX[T kernel.Float](c *call[T]) error {
	dy, w, contribution, threshold := c.in[0], c.in[1], c.in[2], c.in[3]
	class, err := c.ints(4)
	if err != nil {
		return err
	}
	for i := range dy.n {
		abs, err := row(contribution, i, class[i])
		if err != nil {
			return err
		}
		kernel.RoutedLinearBackwardInput(c.out.sample(i), dy.sample(i), w.data, abs, threshold.data[class[i]], c.out.size, dy.size)
	}
	return nil
}

// ClassMask multiplies each sample with the row of a table that belongs to its class: y[n, i] = z[n, i] · table[class[n], i],
// for z [batch, features], table [classes, features] and class [batch] of int. Only z has a gradient.
// With a table of zeros and ones it is LINe's activation pruning (section 3.2).
func ClassMask(z, class, table *G.Node) (*G.Node, error) {
	const name = "ClassMask"
	if err := wantDims(name, 2, z, table); err != nil {
		return nil, err
	}
	if err := wantShape(name, "class", class, z.Shape()[0]); err != nil {
		return nil, err
	}
	if err := wantShape(name, "table", table, table.Shape()[0], z.Shape()[1]); err != nil {
		return nil, err
	}
	return classOp(name, z.Shape(), []*G.Node{z, table, class}, first(3),
		same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) { return ClassMask(grad, in[2], in[1]) }),
		classMaskRun[float32], classMaskRun[float64])
}

func classMaskRun[T kernel.Float](c *call[T]) error {
	class, err := c.ints(2)
	if err != nil {
		return err
	}
	for i := range c.out.n {
		mask, err := row(c.in[1], i, class[i])
		if err != nil {
			return err
		}
		kernel.Mul(c.out.sample(i), c.in[0].sample(i), mask)
	}
	return nil
}
