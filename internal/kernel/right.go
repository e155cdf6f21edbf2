package kernel

// Right is the right-hand side b [k, n] of matrix products a·b, packed in the order in which kernels read it. Several
// goroutines may use it at once, but not while it is being packed.
type Right[T Float] struct {
	k, n int
	data []T      // [k, n]
	fast *right32 // in place of data where there is vector code
}

// NewRight returns a right-hand side of zeros.
func NewRight[T Float](k, n int) *Right[T] {
	r := &Right[T]{k: k, n: n}
	if is32[T]() {
		r.fast = newRight32(k, n)
	}
	if r.fast == nil {
		r.data = make([]T, k*n)
	}
	return r
}

// Pack copies the elements of b [k, n] or, if it is stored transposed, [n, k].
func (r *Right[T]) Pack(b []T, transposed bool) {
	b = b[:r.k*r.n]
	switch {
	case r.fast != nil:
		r.fast.pack(as32(b), transposed)
	case !transposed:
		copy(r.data, b)
	default:
		for j := range r.n {
			for l, v := range b[j*r.k:][:r.k] {
				r.data[l*r.n+j] = v
			}
		}
	}
}

// ScratchLen returns the number of elements of scratch that Mul needs for m rows.
func (r *Right[T]) ScratchLen(m int) int {
	if r.fast != nil {
		return r.fast.scratchLen(m)
	}
	return 0
}

// Mul computes dst [m, n] = a · b; with accumulate it adds the product to dst. a is [m, k] or, with transposed, [k, m].
// The bits of an element depend only on its row of a, its column of b and, with accumulate, its old value. They do not
// depend on the position of the row and the column, or on m and n.
func (r *Right[T]) Mul(dst, a []T, m int, transposed, accumulate bool, scratch []T) {
	dst, a = dst[:m*r.n], a[:m*r.k]
	if m == 0 || r.n == 0 {
		return
	}
	if r.k == 0 {
		if !accumulate {
			clear(dst)
		}
		return
	}
	if r.fast != nil {
		r.fast.mul(as32(dst), as32(a), m, transposed, accumulate, as32(scratch))
		return
	}
	if !accumulate {
		clear(dst)
	}
	row, step := r.k, 1 // strides of a: from row to row, and along a row
	if transposed {
		row, step = 1, m
	}
	for i := range m {
		r.addRow(dst[i*r.n:][:r.n], a[i*row:], step)
	}
}

// addRow adds to d the products of the rows of b with the elements of a, which are step apart. Terms are added in
// order; one pass over d adds four of them.
func (r *Right[T]) addRow(d, a []T, step int) {
	n, l := r.n, 0
	for ; l+4 <= r.k; l += 4 {
		b := r.data[l*n:][:4*n]
		b0, b1, b2, b3 := b[:len(d)], b[n:][:len(d)], b[2*n:][:len(d)], b[3*n:][:len(d)]
		a0, a1, a2, a3 := a[l*step], a[(l+1)*step], a[(l+2)*step], a[(l+3)*step]
		for i, v := range d {
			v += a0 * b0[i]
			v += a1 * b1[i]
			v += a2 * b2[i]
			v += a3 * b3[i]
			d[i] = v
		}
	}
	for ; l < r.k; l++ {
		axpyGeneric(d, r.data[l*n:][:n], a[l*step])
	}
}
