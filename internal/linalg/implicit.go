package linalg

import (
	"context"
	"errors"
	"math"

	"github.com/line-ood/goline/internal/kernel"
)

// sweep is a sequence of plane rotations of neighbouring rows from first to last, or from last to first.
type sweep struct {
	first, last int
	up          bool // from last to first
	turns       []float64
}

// diagonaliser finds the eigenvalues of a tridiagonal matrix by the implicit QL method, or QR where the larger
// elements are at the end, with Wilkinson's shift, as EISPACK's tql2 and LAPACK's dsteqr do. It passes the rotations
// on in batches.
type diagonaliser struct {
	d, e   []float64 // the diagonal, and the elements below it
	least  float64   // an e of at most this size counts as 0
	turns  []float64
	sweeps []sweep
	most   int // number of rotations in a batch
	apply  func([]sweep) error
}

func (g *diagonaliser) run() error {
	n := len(g.d)
	norm := 0.0
	for i := range n {
		norm = max(norm, math.Abs(g.d[i]))
		if i < n-1 {
			norm = max(norm, math.Abs(g.e[i]))
		}
	}
	g.least = 0x1p-60 * norm
	left := 30 * n // number of sweeps that are allowed
	for l := 0; l < n-1; {
		m := l
		for m < n-1 && !g.small(m) {
			m++
		}
		if err := g.block(l, m, &left); err != nil {
			return err
		}
		l = m + 1
	}
	return g.flush()
}

// small reports whether e[i] is negligible, and sets it to 0 if so.
func (g *diagonaliser) small(i int) bool {
	if math.Abs(g.e[i]) <= 0x1p-53*math.Sqrt(math.Abs(g.d[i]))*math.Sqrt(math.Abs(g.d[i+1]))+g.least {
		g.e[i] = 0
		return true
	}
	return false
}

// block diagonalises the rows from l to end, which are not coupled to other rows.
func (g *diagonaliser) block(l, end int, left *int) error {
	up := math.Abs(g.d[end]) >= math.Abs(g.d[l]) // QL finds the smaller eigenvalues first, at the front
	for l < end {
		m := 0
		if up {
			for m = l; m < end && !g.small(m); m++ {
			}
			if m == l {
				l++
				continue
			}
		} else {
			for m = end; m > l && !g.small(m-1); m-- {
			}
			if m == end {
				end--
				continue
			}
		}
		if *left--; *left < 0 {
			return errors.New("linalg: the eigenvalues do not converge")
		}
		if up {
			g.ql(l, m)
		} else {
			g.qr(m, end)
		}
		if len(g.turns) >= g.most {
			if err := g.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// shifted returns dm = d[m] less a shift, which is near an eigenvalue at the other end of the block: d is the
// diagonal element there, e the element beside it, and next the neighbouring diagonal element.
func shifted(dm, d, next, e float64) float64 {
	g := (next - d) / (2 * e)
	return dm - d + e/(g+math.Copysign(hypot(g, 1), g))
}

// ql makes a sweep of the QL method from m up to l.
func (g *diagonaliser) ql(l, m int) {
	d, e := g.d, g.e
	x := shifted(d[m], d[l], d[l+1], e[l])
	c, s, p := 1.0, 1.0, 0.0
	start := len(g.turns)
	for i := m - 1; i >= l; i-- {
		f, b := s*e[i], c*e[i]
		var r float64
		c, s, r = rotation(x, f)
		if i != m-1 {
			e[i+1] = r
		}
		x = d[i+1] - p
		r = float64((d[i]-x)*s) + float64(2*c*b)
		p = s * r
		d[i+1] = x + p
		x = float64(c*r) - b
		g.turns = append(g.turns, c, s)
	}
	d[l] -= p
	e[l] = x
	g.sweeps = append(g.sweeps, sweep{l, m, true, g.turns[start:]})
}

// qr makes a sweep of the QR method from m down to l.
func (g *diagonaliser) qr(m, l int) {
	d, e := g.d, g.e
	x := shifted(d[m], d[l], d[l-1], e[l-1])
	c, s, p := 1.0, 1.0, 0.0
	start := len(g.turns)
	for i := m; i < l; i++ {
		f, b := s*e[i], c*e[i]
		var r float64
		c, s, r = rotation(x, f)
		if i != m {
			e[i-1] = r
		}
		x = d[i] - p
		r = float64((d[i+1]-x)*s) + float64(2*c*b)
		p = s * r
		d[i] = x + p
		x = float64(c*r) - b
		g.turns = append(g.turns, c, s)
	}
	d[l] -= p
	e[l-1] = x
	g.sweeps = append(g.sweeps, sweep{m, l, false, g.turns[start:]})
}

func (g *diagonaliser) flush() error {
	err := g.apply(g.sweeps)
	g.turns, g.sweeps = g.turns[:0], g.sweeps[:0]
	return err
}

// rotation returns c and s with c² + s² = 1, c f + s g = r and c g - s f = 0.
func rotation(f, g float64) (c, s, r float64) {
	switch {
	case g == 0:
		return 1, 0, f
	case f == 0:
		return 0, 1, g
	}
	r = hypot(f, g)
	return f / r, g / r, r
}

// hypot is √(a² + b²) without overflow, with the same bits on every processor.
func hypot(a, b float64) float64 {
	a, b = math.Abs(a), math.Abs(b)
	if a < b {
		a, b = b, a
	}
	if a == 0 {
		return 0
	}
	q := b / a
	return a * math.Sqrt(1+float64(q*q))
}

// strips holds a matrix [n, n] as strips of RotateColumns columns, each [n, RotateColumns], so that sweeps over its
// rows stay in cache.
type strips struct {
	n    int
	data []float64
}

func newStrips(z []float64, n int) *strips {
	const width = kernel.RotateColumns
	s := &strips{n, make([]float64, ceilDiv(n, width)*n*width)}
	for at := 0; at < n; at += width {
		for i := range n {
			copy(s.data[at*n+i*width:][:width], z[i*n+at:(i+1)*n])
		}
	}
	return s
}

func (s *strips) apply(ctx context.Context, sweeps []sweep, workers int) error {
	const width = kernel.RotateColumns
	return forEach(ctx, ceilDiv(s.n, width), workers, func() func(int) {
		return func(strip int) {
			rows := s.data[strip*width*s.n:][:width*s.n]
			for _, w := range sweeps {
				kernel.Rotate(rows[w.first*width:(w.last+1)*width], w.turns, w.up)
			}
		}
	})
}

// row copies row i of the matrix to dst.
func (s *strips) row(dst []float64, i int) {
	const width = kernel.RotateColumns
	for at := 0; at < s.n; at += width {
		copy(dst[at:], s.data[at*s.n+i*width:][:min(width, s.n-at)])
	}
}
