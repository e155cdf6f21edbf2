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

// TeamScratchLen returns how many elements of scratch MulTeam needs for m rows.
func (r *Right[T]) TeamScratchLen(t *Team, m int) int {
	return t.Size()*partLen(r.ScratchLen(m)) + slackElements
}

// MulTeam is Mul of a matrix that does not lie transposed by a team, with the same bits.
func (r *Right[T]) MulTeam(t *Team, dst, a []T, m int, accumulate bool, scratch []T) {
	if r.fast == nil || t.Size() < 2 || m*r.n*r.k == 0 {
		r.Mul(dst, a, m, false, accumulate, scratch)
		return
	}
	w := &t.right
	*w = rightWork{r: r.fast, dst: as32(dst[:m*r.n]), a: as32(a[:m*r.k]), m: m, accumulate: accumulate,
		scratch: as32(scratch), each: partLen(r.ScratchLen(m)), parts: t.Size()}
	t.run(w, w.parts)
	*w = rightWork{}
}

// rightWork is a product by a team.
type rightWork struct {
	r          *right32
	dst, a     []float32
	m          int
	accumulate bool
	scratch    []float32
	each       int // elements of scratch of a part
	parts      int
}

func (w *rightWork) do(part int) {
	w.r.mulPart(w.dst, w.a, w.m, w.accumulate, w.scratch[part*w.each:][:w.each], part, w.parts)
}

// Mul computes dst [m, n] = a · b, or adds it to dst with accumulate. a is [m, k], or with transposed [k, m]. The bits
// of an element depend on its row of a, its column of b and, with accumulate, what is there; not on where either lies
// or on m and n.
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
