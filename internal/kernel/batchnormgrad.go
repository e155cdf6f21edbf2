package kernel

// BatchNormGradient computes the gradients of a BatchNorm after its forward pass. Samples' gradients are given one by
// one: all to Observe and then, after Settle, all to Backward.
type BatchNormGradient[T Float] struct {
	DGamma, DBeta []T // [c], of the last Settle

	norm           *BatchNorm[T]
	gate           bool // the gradient passes where the norm's value is positive
	n              int  // samples observed
	mean, sum, dot []float64
	a, b, constant []T // dx = a*dy + (b*(x-mean) + constant)
	row            []T // elements of a channel
}

// Gradient returns a BatchNormGradient. With gate the gradients that it is given are those behind a ReLU, which it
// computes again from x; a ReLU behind a residual must have been passed already.
func (f *BatchNorm[T]) Gradient(gate bool) *BatchNormGradient[T] {
	g := &BatchNormGradient[T]{norm: f, gate: gate, row: make([]T, f.hw)}
	for _, v := range []*[]T{&g.DGamma, &g.DBeta, &g.a, &g.b, &g.constant} {
		*v = make([]T, len(f.sum))
	}
	for _, v := range []*[]float64{&g.mean, &g.sum, &g.dot} {
		*v = make([]float64, len(f.sum))
	}
	return g
}

// Reset begins the observation of a batch.
func (g *BatchNormGradient[T]) Reset() {
	g.n = 0
	clear(g.sum)
	clear(g.dot)
	for c, v := range g.norm.Mean {
		g.mean[c] = float64(v)
	}
}

// Observe adds the gradient of a sample's output to the sums for the gradients of gamma and beta.
func (g *BatchNormGradient[T]) Observe(dy, x []T) {
	hw := g.norm.hw
	dy, x = dy[:len(g.sum)*hw], x[:len(g.sum)*hw]
	g.n++
	if is32[T]() && g.sums32(as32(dy), as32(x)) {
		return
	}
	for c := range g.sum {
		s := x[c*hw:][:hw]
		sum, dot := gradSums64(g.gated(dy[c*hw:][:hw], s, c), s, g.mean[c])
		g.sum[c] += sum
		g.dot[c] += dot
	}
}

// gated returns the gradient of a channel where the ReLU is open and zeros elsewhere.
func (g *BatchNormGradient[T]) gated(dy, x []T, c int) []T {
	if !g.gate {
		return dy
	}
	Affine(g.row, x, g.norm.scale[c:][:1], g.norm.offset[c:][:1], 1, g.norm.hw, false)
	ReLUBackward(g.row, dy, g.row)
	return g.row
}

// Settle computes the gradients of gamma and beta from the gradients observed.
func (g *BatchNormGradient[T]) Settle(gamma []T) {
	m := float64(g.n * g.norm.hw)
	for c := range g.sum {
		inv := float64(g.norm.InvStd[c])
		dot := g.dot[c] * inv
		g.DGamma[c], g.DBeta[c] = T(dot), T(g.sum[c])
		// dx = gamma*invstd*(dy - mean(dy) - xhat*mean(dy*xhat)), xhat = (x-mean)*invstd.
		k := float64(gamma[c]) * inv
		g.a[c], g.b[c], g.constant[c] = T(k), T(-k*inv*dot/m), T(-k*g.sum[c]/m)
	}
}

// Backward computes the gradient dx of a sample from that of its output. dx may be dy.
func (g *BatchNormGradient[T]) Backward(dx, dy, x []T) {
	hw := g.norm.hw
	size := len(g.sum) * hw
	dx, dy, x = dx[:size], dy[:size], x[:size]
	if is32[T]() && g.backward32(as32(dx), as32(dy), as32(x)) {
		return
	}
	for c := range g.sum {
		d, s := dx[c*hw:][:hw], x[c*hw:][:hw]
		v := g.gated(dy[c*hw:][:hw], s, c)
		a, b, mean, constant := g.a[c], g.b[c], g.norm.Mean[c], g.constant[c]
		if is32[T]() && (&stream{
			op: opNormBack, dst: as32(d), a: as32(v), b: as32(s),
			s: float32(a), t: float32(b), m: float32(mean), floor: float32(constant),
		}).run() {
			continue
		}
		for j, e := range s {
			d[j] = a*v[j] + (b*(e-mean) + constant)
		}
	}
}
