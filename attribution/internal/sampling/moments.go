package sampling

import (
	"math"
)

// Moments holds the running mean and the sum of squared deviations of vectors (Welford 1962).
type Moments struct {
	Count    int
	Mean, M2 []float64
}

func NewMoments(n int) *Moments { return &Moments{Mean: make([]float64, n), M2: make([]float64, n)} }

func (m *Moments) Reset() {
	m.Count = 0
	clear(m.Mean)
	clear(m.M2)
}

// Add adds one vector.
func (m *Moments) Add(x []float64) {
	m.Count++
	inv := 1 / float64(m.Count)
	mean, m2 := m.Mean[:len(x)], m.M2[:len(x)]
	for i, v := range x {
		d := v - mean[i]
		mean[i] += d * inv
		m2[i] += d * (v - mean[i])
	}
}

// Merge adds all vectors that o holds (Chan, Golub and LeVeque 1979).
func (m *Moments) Merge(o *Moments) {
	if o.Count == 0 {
		return
	}
	if m.Count == 0 {
		m.Count = o.Count
		copy(m.Mean, o.Mean)
		copy(m.M2, o.M2)
		return
	}
	a, b := float64(m.Count), float64(o.Count)
	for i := range m.Mean {
		d := o.Mean[i] - m.Mean[i]
		m.Mean[i] += d * (b / (a + b))
		m.M2[i] += o.M2[i] + d*d*(a*b/(a+b))
	}
	m.Count += o.Count
}

// StandardError returns the standard error of entry i of the mean: sqrt(s²/N) with s² the sample variance; NaN below
// two vectors.
func (m *Moments) StandardError(i int) float64 {
	if m.Count < 2 {
		return math.NaN()
	}
	return StandardError(m.M2[i], m.Count)
}

// StandardError returns the standard error of a mean of count observations whose squared deviations sum to m2.
func StandardError(m2 float64, count int) float64 {
	n := float64(count)
	return math.Sqrt(m2 / (n - 1) / n)
}

// Scalar is the one-dimensional form of [Moments].
type Scalar struct {
	Count    int
	Mean, M2 float64
}

func (s *Scalar) Add(v float64) {
	s.Count++
	d := v - s.Mean
	s.Mean += d / float64(s.Count)
	s.M2 += d * (v - s.Mean)
}
