package graph

import (
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// Linear returns x·wᵀ + b for x [..., in] of at least two axes, w [out, in] and b [out] or nil: [..., out]. x, w and b
// have gradients. The bits of a row of the result do not depend on the number of rows.
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
	if err := wantOneType("Linear", args...); err != nil {
		return nil, err
	}
	fn, err := dispatch("Linear", x.Dtype(),
		func() function { return newLinearFn[float32](in, out, diff) },
		func() function { return newLinearFn[float64](in, out, diff) })
	if err != nil {
		return nil, err
	}
	return apply("Linear", fn, x.Dtype(), append(x.Shape()[:last].Clone(), out), args...)
}

// linearFn is the fully connected layer or, with back, its gradient by x.
type linearFn[T kernel.Float] struct {
	floatFn[T]
	in, out int
	back    bool
	right   *kernel.Right[T]
	frozen  bool
	bias    []T // if frozen
	team    *kernel.Team
}

// wide tells whether a layer of these sizes runs as a product of packed matrices. The choice must not depend on the
// number of rows, because the two ways sum in different orders.
func wide(in, out int) bool { return in >= 32 && out >= 32 }

func newLinearFn[T kernel.Float](in, out int, diff []bool) *linearFn[T] {
	f := &linearFn[T]{in: in, out: out}
	f.floatFn = floatFn[T]{run: f.run, grad: linearGrad, diff: diff}
	return f
}

func newLinearDX[T kernel.Float](in, out int) *linearFn[T] {
	f := &linearFn[T]{in: in, out: out, back: true}
	f.floatFn = floatFn[T]{run: f.runBack}
	return f
}

// freeze packs weight and bias if they are fixed.
func (f *linearFn[T]) freeze(in G.Nodes, fixed func(*G.Node) bool, cache *store) (bool, error) {
	if !wide(f.in, f.out) || fixed(in[0]) || !fixed(in[1]) || len(in) > 2 && !fixed(in[2]) {
		return false, nil
	}
	w, err := sliceOf[T](in[1].Value())
	if err != nil {
		return false, err
	}
	if len(in) > 2 {
		b, err := sliceOf[T](in[2].Value())
		if err != nil {
			return false, err
		}
		f.bias = slices.Clone(b)
	}
	if f.back {
		f.right = sharedRight(cache, w, f.out, f.in, false)
	} else {
		f.right = sharedRight(cache, w, f.in, f.out, true)
	}
	f.frozen = true
	return true, nil
}

func (f *linearFn[T]) run(c *call[T]) error {
	y, _ := c.out.flat()
	x, bias, rows := c.flat(0), f.bias, len(y)/f.out
	if !f.frozen && len(c.in) > 2 {
		bias = c.flat(2)
	}
	if !wide(f.in, f.out) {
		kernel.Linear(y, x, c.flat(1), bias, rows, f.in, f.out)
		return nil
	}
	if f.right == nil {
		f.right = kernel.NewRight[T](f.in, f.out)
	}
	if !f.frozen {
		f.right.Pack(c.flat(1), true)
	}
	for i := 0; bias != nil && i < len(y); i += f.out {
		copy(y[i:], bias)
	}
	f.right.MulTeam(f.team, y, x, rows, bias != nil, c.workspace(f.right.TeamScratchLen(f.team, rows)))
	return nil
}

func (f *linearFn[T]) runBack(c *call[T]) error {
	dx, _ := c.out.flat()
	dy, rows := c.flat(0), len(dx)/f.in
	if !wide(f.in, f.out) {
		kernel.LinearBackwardInput(dx, dy, c.flat(1), rows, f.in, f.out)
		return nil
	}
	if f.right == nil {
		f.right = kernel.NewRight[T](f.out, f.in)
	}
	if !f.frozen {
		f.right.Pack(c.flat(1), false)
	}
	f.right.Mul(dx, dy, rows, false, false, c.workspace(f.right.ScratchLen(rows)))
	return nil
}

// contiguous returns the samples of a as one slice. Where they do not lie next to one another it copies them into dst.
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

func linearGrad(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
	x, w := in[0], in[1]
	gs = make(G.Nodes, len(in))
	if need[0] {
		in, out := w.Shape()[1], w.Shape()[0]
		fn, err := dispatch("Linear'x", x.Dtype(),
			func() function { return newLinearDX[float32](in, out) },
			func() function { return newLinearDX[float64](in, out) })
		if err != nil {
			return nil, err
		}
		if gs[0], err = apply("Linear'x", fn, x.Dtype(), x.Shape(), grad, w); err != nil {
			return nil, err
		}
	}
	if need[1] {
		in, out := w.Shape()[1], w.Shape()[0]
		gs[1], err = onCardFlat(linearDWCard(in, out))(floatOp("Linear'w", w.Shape(), []*G.Node{grad, x}, nil, nil,
			linearDW[float32](in, out), linearDW[float64](in, out)))
		if err != nil {
			return nil, err
		}
	}
	if len(in) > 2 && need[2] {
		gs[2], err = onCardFlat(sumRowsCard)(floatOp("Linear'b", in[2].Shape(), []*G.Node{grad}, nil, nil,
			sumRows[float32], sumRows[float64]))
	}
	return gs, err
}

// linearDW computes the gradient by the weight [out, in] from its inputs: the gradient by the output, and x.
func linearDW[T kernel.Float](in, out int) func(*call[T]) error {
	var right *kernel.Right[T]
	return func(c *call[T]) error {
		dw, _ := c.out.flat()
		dy, x := c.flat(0), c.flat(1)
		rows := len(x) / in
		if !wide(in, out) {
			clear(dw)
			kernel.LinearBackwardWeight(dw, nil, x, dy, rows, in, out)
			return nil
		}
		if right == nil {
			right = kernel.NewRight[T](rows, in)
		}
		right.Pack(x, false)
		right.Mul(dw, dy, out, true, false, c.workspace(right.ScratchLen(out)))
		return nil
	}
}

// sumRows sums the rows of the first input, each as long as the output.
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

// RoutedHead holds the nodes of LINe's final layer. Which of its weights a sample uses depends on the sample's class.
type RoutedHead struct {
	Weight *G.Node // [classes, features]
	Bias   *G.Node // [classes]
	// Contribution holds |C|, the magnitude of each neuron's mean contribution to each class: [classes, features].
	Contribution *G.Node
	// Threshold is compared, for a sample of class c, with Contribution[c, i] · Weight[j, i]: [classes].
	Threshold *G.Node
}

// RoutedLinear is LINe's weight pruning (Ahn et al., CVPR 2023, section 3.3) for a batch whose samples have different
// classes:
//
//	y[n, j] = Bias[j] + Σ_i z[n, i] · Weight[j, i]   over i with Contribution[c, i] · Weight[j, i] > Threshold[c], c =
//	class[n]
//
// for z [batch, features] and class [batch] of int: [batch, classes]. The masks are evaluated during the run; the table
// of all classes × classes × features masks is never stored. Only z has a gradient: the masks count as constants.
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
		return onCard(routedDXCard)(classOp(name+"'z", z.Shape(), []*G.Node{grad, in[1], in[3], in[4], in[5]}, nil, nil,
			routedDX[float32], routedDX[float64]))
	})
	return onCard(routedCard)(classOp(name, tensor.Shape{n, k}, args, first(len(args)), grad, routedRun[float32],
		routedRun[float64]))
}

// row returns the row of a table [classes, size] for the class of sample i.
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
		kernel.RoutedLinear(c.out.sample(i), z.sample(i), w.data, b.data, contribution.sample(k), threshold.data[k],
			z.size, c.out.size)
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
		kernel.RoutedLinearBackwardInput(c.out.sample(i), dy.sample(i), w.data, abs, threshold.data[class[i]],
			c.out.size, dy.size)
	}
	return nil
}

// ClassMask multiplies each sample by the row of a table for its class: y[n, i] = z[n, i] · table[class[n], i], for z
// [batch, features], table [classes, features] and class [batch] of int. Only z has a gradient. With a table of zeros
// and ones it is LINe's activation pruning (section 3.2).
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
	return onCard(classCard("class_mask_f32"))(classOp(name, z.Shape(), []*G.Node{z, table, class}, first(3),
		same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) { return ClassMask(grad, in[2], in[1]) }),
		classMaskRun[float32], classMaskRun[float64]))
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
