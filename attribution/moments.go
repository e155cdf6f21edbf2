package attribution

import "math"

// moments are the running mean and the sum of squared deviations of vectors (Welford 1962).
type moments struct {
	count    int
	mean, m2 []float64
}

func newMoments(n int) *moments { return &moments{mean: make([]float64, n), m2: make([]float64, n)} }

func (m *moments) reset() {
	m.count = 0
	clear(m.mean)
	clear(m.m2)
}

// add takes in one vector.
func (m *moments) add(x []float64) {
	m.count++
	inv := 1 / float64(m.count)
	mean, m2 := m.mean[:len(x)], m.m2[:len(x)]
	for i, v := range x {
		d := v - mean[i]
		mean[i] += d * inv
		m2[i] += d * (v - mean[i])
	}
}

// merge takes in the vectors that o has seen (Chan, Golub and LeVeque 1979).
func (m *moments) merge(o *moments) {
	if o.count == 0 {
		return
	}
	if m.count == 0 {
		m.count = o.count
		copy(m.mean, o.mean)
		copy(m.m2, o.m2)
		return
	}
	a, b := float64(m.count), float64(o.count)
	for i := range m.mean {
		d := o.mean[i] - m.mean[i]
		m.mean[i] += d * (b / (a + b))
		m.m2[i] += o.m2[i] + d*d*(a*b/(a+b))
	}
	m.count += o.count
}

// standardError of the mean: sqrt(s²/N) with s² the sample variance; NaN below two vectors.
func (m *moments) standardError(i int) float64 {
	if m.count < 2 {
		return math.NaN()
	}
	return standardError(m.m2[i], m.count)
}

// standardError is that of a mean of count observations whose squared deviations sum to m2.
func standardError(m2 float64, count int) float64 {
	n := float64(count)
	return math.Sqrt(m2 / (n - 1) / n)
}

// scalar is the one-dimensional form of moments.
type scalar struct {
	count    int
	mean, m2 float64
}

func (s *scalar) add(v float64) {
	s.count++
	d := v - s.mean
	s.mean += d / float64(s.count)
	s.m2 += d * (v - s.mean)
}
