package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// MatMul returns the matrix product a·b by NumPy's rules: of a [..., m, k] and b [..., k, n] it is [..., m, n], where
// the axes before the last two broadcast. An a of one axis [k] is a row, a b of one axis [k] a column; the axis of that
// row or column is then missing from the result, and the product of two vectors has shape [1]. a and b have gradients.
//
// No axis need be the batch. The bits of an element depend on its row of a and its column of b alone.
func MatMul(a, b *G.Node) (*G.Node, error) {
	const name = "MatMul"
	if err := wantOneType(name, a, b); err != nil {
		return nil, err
	}
	p, shape, err := newProducts(a.Shape(), b.Shape())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	grad := func(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, 2)
		if need[0] {
			if gs[0], err = multiply("MatMul'a", p.byA(), in[0].Shape(), nil, nil, grad, in[1]); err != nil {
				return nil, err
			}
		}
		if need[1] {
			gs[1], err = multiply("MatMul'b", p.byB(), in[1].Shape(), nil, nil, in[0], grad)
		}
		return gs, err
	}
	return multiply(name, p, shape, []bool{true, true}, grad, a, b)
}

// products are matrix products of one size. Product number i multiplies matrix a[i] of the first input by matrix b[i]
// of the second and writes to matrix c[i] of the output; products with the same c[i] are added up. The matrices are
// stored as m×k, k×n and m×n, or transposed where transA or transB says so.
type products struct {
	m, k, n        int
	transA, transB bool
	a, b, c        []int
}

// newProducts returns the products that [MatMul] of inputs of two shapes consists of, and the shape of the result.
func newProducts(a, b tensor.Shape) (p products, shape tensor.Shape, err error) {
	if len(a) == 0 || len(b) == 0 {
		return p, nil, fmt.Errorf("expected at least one axis each, got shapes %v and %v", a, b)
	}
	left, right := a, b
	if len(a) == 1 {
		left = tensor.Shape{1, a[0]}
	}
	if len(b) == 1 {
		right = tensor.Shape{b[0], 1}
	}
	la, lb := len(left)-2, len(right)-2
	p.m, p.k, p.n = left[la], left[la+1], right[lb+1]
	if right[lb] != p.k {
		return p, nil,
			fmt.Errorf("expected as many columns of the first as rows of the second, got shapes %v and %v", a, b)
	}
	batch, aAt, bAt, err := broadcastPair(left[:la], right[:lb])
	if err != nil {
		return p, nil, fmt.Errorf("shapes %v and %v: %w", a, b, err)
	}
	shape = append(shape, batch...)
	if len(a) > 1 {
		shape = append(shape, p.m)
	}
	if len(b) > 1 {
		shape = append(shape, p.n)
	}
	if len(shape) == 0 {
		shape = tensor.Shape{1}
	}
	p.a, p.b, p.c = aAt, bAt, make([]int, len(aAt))
	for i := range p.c {
		p.c[i] = i
	}
	// Where all matrices of a are multiplied by one matrix of b, they count as one matrix with more rows.
	if right[:lb].TotalSize() == 1 && left[:la].TotalSize() == len(aAt) {
		p.m *= len(aAt)
		p.a, p.b, p.c = []int{0}, []int{0}, []int{0}
	}
	return p, shape, nil
}

// broadcastPair returns the shape to which a and b broadcast and, for each element of that shape, the indices of the
// elements of a and of b that belong to it.
func broadcastPair(a, b tensor.Shape) (shape tensor.Shape, aAt, bAt []int, err error) {
	dims := max(len(a), len(b))
	shape = make(tensor.Shape, dims)
	axis := func(s tensor.Shape, i int) int {
		if i += len(s) - dims; i >= 0 {
			return s[i]
		}
		return 1
	}
	for i := range shape {
		x, y := axis(a, i), axis(b, i)
		if x != y && x != 1 && y != 1 {
			return nil, nil, nil, fmt.Errorf("axes of %d and %d do not broadcast", x, y)
		}
		shape[i] = max(x, y)
	}
	aAt, bAt = []int{0}, []int{0}
	for i, n := range shape {
		aAt, bAt = unfold(aAt, axis(a, i), n), unfold(bAt, axis(b, i), n)
	}
	return shape, aAt, bAt, nil
}

// unfold extends each index in places by a further axis of n elements. size is the length of the axis in memory, n or
// 1.
func unfold(places []int, size, n int) []int {
	out := make([]int, 0, len(places)*n)
	for _, at := range places {
		for j := range n {
			out = append(out, at*size+min(j, size-1))
		}
	}
	return out
}

// byA returns the products for the gradient by a, whose inputs are the gradient by the result and b.
func (p products) byA() products {
	return products{m: p.m, k: p.n, n: p.k, transB: true, a: p.c, b: p.b, c: p.a}
}

// byB returns the products for the gradient by b, whose inputs are a and the gradient by the result.
func (p products) byB() products {
	return products{m: p.k, k: p.m, n: p.n, transA: true, a: p.a, b: p.c, c: p.b}
}

// batchFLOPs counts the floating-point operations of all products.
func (p products) batchFLOPs() int { return 2 * len(p.c) * p.m * p.k * p.n }

// matmulFn is an operation that consists of matrix products.
type matmulFn[T kernel.Float] struct {
	floatFn[T]
	products
	again  []bool             // for each product whether it is added to an earlier one in the same place
	fixed  []*kernel.Right[T] // the packed matrices of the second input, if they never change
	right  *kernel.Right[T]   // the matrix that was packed last, where they change
	packed int                // the number of the matrix in right
	card   matmulCard
}

func multiply(name string, p products, shape tensor.Shape, diff []bool, grad gradient, a, b *G.Node) (*G.Node, error) {
	fn, err := dispatch(name, a.Dtype(),
		func() function { return newMatmulFn[float32](p, diff, grad) },
		func() function { return newMatmulFn[float64](p, diff, grad) })
	if err != nil {
		return nil, err
	}
	return apply(name, fn, a.Dtype(), shape, a, b)
}

func newMatmulFn[T kernel.Float](p products, diff []bool, grad gradient) *matmulFn[T] {
	f := &matmulFn[T]{products: p, again: make([]bool, len(p.c))}
	written := map[int]bool{}
	for i, at := range p.c {
		f.again[i], written[at] = written[at], true
	}
	f.floatFn = floatFn[T]{run: f.run, grad: grad, diff: diff}
	return f
}

// freeze packs the second input if it alone is fixed.
func (f *matmulFn[T]) freeze(in G.Nodes, fixed func(*G.Node) bool, cache *store) (bool, error) {
	if !fixed(in[1]) || fixed(in[0]) {
		return false, nil
	}
	b, err := sliceOf[T](in[1].Value())
	if err != nil {
		return false, err
	}
	size := f.k * f.n
	for ; len(b) > 0; b = b[size:] {
		f.fixed = append(f.fixed, sharedRight(cache, b[:size], f.k, f.n, f.transB))
	}
	return true, nil
}

// rightSide returns matrix i of the second input, packed.
func (f *matmulFn[T]) rightSide(c *call[T], i int) *kernel.Right[T] {
	if f.fixed != nil {
		return f.fixed[i]
	}
	if f.right == nil {
		f.right = kernel.NewRight[T](f.k, f.n)
	}
	if f.packed != i {
		f.right.Pack(c.flat(1)[i*f.k*f.n:], f.transB)
		f.packed = i
	}
	return f.right
}

func (f *matmulFn[T]) run(c *call[T]) error {
	dst, _ := c.out.flat()
	a := c.flat(0)
	f.packed = -1
	for i, at := range f.c {
		right := f.rightSide(c, f.b[i])
		work := c.workspace(right.ScratchLen(f.m))
		right.Mul(dst[at*f.m*f.n:], a[f.a[i]*f.m*f.k:], f.m, f.transA, f.again[i], work)
	}
	return nil
}
