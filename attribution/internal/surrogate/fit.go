package surrogate

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/mathx"
)

// Data holds gradients to fit. Row r is the mean of the gradients at a coalition and at its complement, which depends
// only on the odd part of a game.
type Data struct {
	Players    int
	Coalitions []attribution.Coalition
	Gradients  [][]float64 // [rows][players]
	Weights    []float64   // [rows]
}

// Sizes bound the polynomial: the number of coordinates that terms of three factors may use, and that terms of five
// may use.
type Sizes struct{ Cubic, Quintic int }

const (
	// perUnknown is the number of equations needed for each unknown coefficient; with fewer the fit follows the
	// noise.
	perUnknown = 2
	// perQuintic is that number where terms of five factors in more than fewQuintic coordinates are among the unknowns:
	// they vary most where coalitions are rare, and follow noise first.
	perQuintic, fewQuintic = 4, 2
	// pairsPerUnknown is the number of different pairs of coalitions that the players must have for each unknown
	// coefficient: a surrogate that could interpolate the whole game would leave nothing but the errors of two fits,
	// which the halves that are fitted to each other share.
	pairsPerUnknown = 16
	// shrinkage pulls coefficients of the terms of three and five factors to zero, in units of their sums of squares.
	shrinkage = 1e-3
	// mostRows bounds the number of rows that a fit uses.
	mostRows = 2048
)

// Fit returns the polynomial whose gradients are nearest to the data in weighted least squares. Its coordinates are
// the directions in which the gradients vary most. It has as many as the data can determine, none with a single row.
func Fit(d Data, most Sizes) *Odd {
	if len(d.Coalitions) > mostRows {
		d = thin(d, mostRows)
	}
	o := &Odd{players: d.Players, linear: make([]float64, d.Players)}
	o.fitLinear(d)
	basis, r := directions(d, o.linear, min(max(most.Cubic, most.Quintic), len(d.Coalitions)-1))
	distinct := 1 << (min(d.Players, 30) - 1) // pairs of a coalition and its complement
	fits := func(r, quintic int) bool {
		terms, equations := r+count(r, 3)+count(quintic, 5), perUnknown
		if quintic > fewQuintic {
			equations = perQuintic
		}
		return equations*terms <= len(d.Coalitions)*r && pairsPerUnknown*terms <= distinct
	}
	cubic := min(r, most.Cubic)
	for cubic > 0 && !fits(cubic, 0) {
		cubic--
	}
	if cubic == 0 {
		return o
	}
	quintic := min(cubic, most.Quintic)
	for quintic > 0 && !fits(cubic, quintic) {
		quintic--
	}
	o.coordinates = cubic
	o.basis = make([]float64, d.Players*cubic)
	for i := range d.Players {
		copy(o.basis[i*cubic:(i+1)*cubic], basis[i*r:])
	}
	o.terms = append(append(ascending(cubic, 1), ascending(cubic, 3)...), ascending(quintic, 5)...)
	o.fitTerms(d)
	return o
}

// thin keeps evenly spread rows. Rows are in the order of their coalitions' sizes, so that all sizes stay
// represented.
func thin(d Data, rows int) Data {
	out := Data{Players: d.Players}
	for k := range rows {
		at := k * len(d.Coalitions) / rows
		out.Coalitions = append(out.Coalitions, d.Coalitions[at])
		out.Gradients = append(out.Gradients, d.Gradients[at])
		out.Weights = append(out.Weights, d.Weights[at])
	}
	return out
}

// count is the number of products of d factors, repetition allowed, that r coordinates have.
func count(r, d int) int {
	c := 1
	for i := range d {
		c = c * (r + i) / (i + 1)
	}
	return c
}

// fitLinear sets the linear part to the weighted mean of the gradients less the terms' gradients.
func (o *Odd) fitLinear(d Data) {
	clear(o.linear)
	mean, g := make([]float64, d.Players), make([]float64, d.Players)
	total := floats.Sum(d.Weights)
	for r, s := range d.Coalitions {
		floats.AddScaled(mean, d.Weights[r]/total, d.Gradients[r])
		if o.coordinates > 0 {
			o.Gradient(s, g)
			floats.AddScaled(mean, -d.Weights[r]/total, g)
		}
	}
	o.linear = mean
}

// fitTerms solves for the coefficients of the terms.
func (o *Odd) fitTerms(d Data) {
	r, k := o.coordinates, len(o.terms)
	gram := mat.NewSymDense(k, nil)
	moment := mat.NewVecDense(k, nil)
	const block = 64
	rows := blas64.General{Rows: 0, Cols: k, Stride: k, Data: make([]float64, block*r*k)}
	target := make([]float64, block*r)
	flush := func() {
		if rows.Rows == 0 {
			return
		}
		blas64.Syrk(blas.Trans, 1, rows, 1, gram.RawSymmetric())
		blas64.Gemv(blas.Trans, 1, rows, blas64.Vector{N: rows.Rows, Inc: 1, Data: target}, 1, moment.RawVector())
		rows.Rows = 0
		clear(rows.Data)
	}
	x := make([]float64, r)
	for at, s := range d.Coalitions {
		w := math.Sqrt(d.Weights[at])
		o.coordinatesOf(s, x)
		for t, term := range o.terms {
			for skip, a := range term {
				rows.Data[(rows.Rows+a)*k+t] += w * product(x, term, skip)
			}
		}
		y := target[rows.Rows : rows.Rows+r]
		clear(y)
		for i, g := range d.Gradients[at] {
			floats.AddScaled(y, w*(g-o.linear[i]), o.basis[i*r:(i+1)*r])
		}
		if rows.Rows += r; rows.Rows == block*r {
			flush()
		}
	}
	flush()
	o.coefficients = make([]float64, k)
	scale := make([]float64, k)
	for t := range scale {
		if v := gram.At(t, t); v > 0 {
			scale[t] = 1 / math.Sqrt(v)
		}
	}
	for t := range k {
		for u := t; u < k; u++ {
			gram.SetSym(t, u, gram.At(t, u)*scale[t]*scale[u])
		}
		ridge := 1e-10
		if len(o.terms[t]) > 1 {
			ridge = shrinkage
		}
		gram.SetSym(t, t, gram.At(t, t)+ridge)
		moment.SetVec(t, moment.AtVec(t)*scale[t])
	}
	var chol mat.Cholesky
	solution := mat.NewVecDense(k, o.coefficients)
	if !chol.Factorize(gram) || chol.SolveVecTo(solution, moment) != nil {
		clear(o.coefficients) // gradients without variation leave nothing for the terms to explain
		return
	}
	floats.Mul(o.coefficients, scale)
	o.fitLinear(d)
}

// directions returns an orthonormal basis of the directions in which the gradients vary most, the most important
// first, and their number r: at most the number asked for, fewer where the gradients span fewer.
//
// Shapes: result [players, r].
func directions(d Data, mean []float64, most int) (basis []float64, r int) {
	n, m := d.Players, len(d.Coalitions)
	most = min(most, n)
	if most <= 0 {
		return nil, 0
	}
	rows := mat.NewDense(m, n, nil)
	for at, g := range d.Gradients {
		row := rows.RawRowView(at)
		floats.SubTo(row, g, mean)
		floats.Scale(math.Sqrt(d.Weights[at]), row)
	}
	if !nearOne(rows.RawMatrix().Data) {
		return nil, 0
	}
	// Subspace iteration starts from rows of the data, so that the same data always give the same directions.
	wide := min(most+4, m, n)
	q := mat.NewDense(n, wide, nil)
	for j := range wide {
		q.SetCol(j, rows.RawRowView(j*m/wide))
	}
	var y, z, small mat.Dense
	for range 6 {
		orthonormalise(q)
		y.Mul(rows, q)
		z.Mul(rows.T(), &y)
		q.Copy(&z)
	}
	orthonormalise(q)
	y.Mul(rows, q)
	small.Mul(y.T(), &y)
	sym := mat.NewSymDense(wide, nil)
	for i := range wide {
		for j := i; j < wide; j++ {
			sym.SetSym(i, j, small.At(i, j))
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		return nil, 0
	}
	values := eigen.Values(nil) // ascending
	var vectors, turned mat.Dense
	eigen.VectorsTo(&vectors)
	turned.Mul(q, &vectors)
	largest := values[wide-1]
	for r < most && r < wide && values[wide-1-r] > 1e-14*largest && largest > 0 {
		r++
	}
	basis = make([]float64, n*r)
	for i := range n {
		for a := range r {
			basis[i*r+a] = turned.At(i, wide-1-a)
		}
	}
	return basis, r
}

// nearOne multiplies all values by one power of two that makes the largest of them about one. Their squares then
// neither overflow nor underflow, and the directions stay the same. It returns false where all values are zero or one
// is not finite.
func nearOne(values []float64) bool {
	most := floats.Norm(values, math.Inf(1))
	if most == 0 || mathx.FirstNotFinite(values) >= 0 {
		return false
	}
	_, exponent := math.Frexp(most)
	for i, v := range values {
		values[i] = math.Ldexp(v, -exponent)
	}
	return true
}

// orthonormalise replaces the columns by an orthonormal basis of their span (Gram and Schmidt, twice); columns that
// depend on those before them become zero.
func orthonormalise(q *mat.Dense) {
	n, k := q.Dims()
	columns := make([][]float64, k)
	for j := range k {
		c := mat.Col(nil, j, q)
		before := floats.Norm(c, 2)
		for range 2 {
			for _, b := range columns[:j] {
				floats.AddScaled(c, -floats.Dot(b, c), b)
			}
		}
		if after := floats.Norm(c, 2); after > 1e-10*before && after > 0 {
			floats.Scale(1/after, c)
		} else {
			c = make([]float64, n)
		}
		columns[j] = c
		q.SetCol(j, c)
	}
}
