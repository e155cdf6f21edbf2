package estimate

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/surrogate"
)

// surrogateSizes are the sizes of the polynomial of [CoalitionGradients]: products of three factors in eight
// directions and of five factors in four. They were chosen on training images and a network of 100 classes; see
// docs/attribution-estimators.md.
var surrogateSizes = surrogate.Sizes{Cubic: 8, Quintic: 4}

// fewSamples is the number of samples in a half below which the efficiency residual is shared evenly instead of by
// regression.
const fewSamples = 8

// estimate combines two halves of samples. Each half is in ascending order of its strata.
func (s *gradientSampler) estimate(halves [2][]gradientSample) attribution.Estimate {
	n, count := s.run.n, len(halves[0])+len(halves[1])
	e := attribution.Estimate{Samples: count, LeastSamples: leastGradientSamples}
	if !s.unbiased {
		e.LeastSamples = math.MaxInt
	}
	if count == 0 {
		return e
	}
	e.Values, e.StdErr, e.DF = make([]float64, n), make([]float64, n), make([]float64, n)
	var rows [2][][]float64
	var bends []bend
	for h := range rows {
		rows[h] = s.contributions(halves[h], halves[1-h], &bends)
	}
	gap := s.run.full - s.run.empty
	free := -1.0 // one degree of freedom less, for the efficiency residual
	shares := [2][]float64{s.shares(rows[1]), s.shares(rows[0])}
	for h, half := range rows {
		for _, row := range half {
			floats.AddScaled(row, gap-floats.Sum(row), shares[h])
			floats.AddScaled(e.Values, 1/float64(count), row)
		}
		// Variances come from differences of neighbours in the same half, whose strata are next to each other.
		pairs := len(half) / 2
		free += float64(pairs)
		for i := range n {
			squares := 0.0
			for k := range pairs {
				d := half[2*k][i] - half[2*k+1][i]
				squares += d * d / 2
			}
			e.StdErr[i] += squares / float64(pairs) * float64(len(half)) / float64(count) / float64(count)
		}
	}
	for i := range n {
		e.StdErr[i], e.DF[i] = math.Sqrt(e.StdErr[i]), max(free, 1)
	}
	if !s.unbiased {
		total := 0.0
		for i, v := range standingOut(bends, n) {
			e.Values[i] += v
			total += v
		}
		for i := range n { // take the shared-out part of the efficiency residual from the variance
			e.Values[i] -= total * (shares[0][i] + shares[1][i]) / 2
		}
	}
	return e
}

// bend is the correction of one player by a sample's measured error of the trapezoid rule, weighted so that the mean
// over samples is the correction of the estimate.
type bend struct {
	player int
	value  float64
}

// doubt is the number of squared standard errors by which a squared correction shrinks.
const doubt = 2

// standingOut returns each player's mean of the measured errors, shrunk towards zero by how uncertain it is. An error
// that only one sample has shown is taken to be zero, however large it is.
//
// Shapes: result [players].
func standingOut(bends []bend, players int) []float64 {
	sum, squares := make([]float64, players), make([]float64, players)
	for _, b := range bends {
		sum[b.player] += b.value
		squares[b.player] += b.value * b.value
	}
	count := float64(len(bends))
	for i, total := range sum {
		mean := total / count
		sum[i] = 0
		if square := mean * mean; square > 0 && count > 1 {
			variance := (squares[i]/count - square) / (count - 1)
			sum[i] = mean * max(0, 1-doubt*variance/square)
		}
	}
	return sum
}

// contributions returns each sample's estimate of the Shapley values: those of a polynomial fitted to the other
// half's samples, in closed form, plus the weighted difference between the sample's gradients and the polynomial's.
//
// The measured errors of the trapezoid rule are part of the result when s.unbiased is set; otherwise they are
// appended to bends.
//
// Shapes: result [samples][players].
func (s *gradientSampler) contributions(samples, others []gradientSample, bends *[]bend) [][]float64 {
	n := s.run.n
	out := make([][]float64, len(samples))
	g := make([]float64, n)
	all := attribution.NewCoalition(n)
	all.Fill(n)
	fitted := surrogate.Fit(s.data(others), surrogateSizes)
	base := fitted.Shapley()
	fitted.Gradient(all, g) // the gradient at ∅ is the same, because the polynomial is odd under complementation
	for i := range base {
		base[i] += ((s.end[i]+s.end[n+i])/2 - g[i]) / float64(n)
	}
	for k := range samples {
		own := &samples[k]
		row := slices.Clone(base)
		for _, p := range own.pairs {
			fitted.Gradient(p.coalition, g)
			// A pair has half of the weight. Each state of player i, present or absent, is divided by its
			// probability.
			scale := float64(n-1) / 4
			in, out := scale/float64(p.size), scale/float64(n-p.size)
			for i := range row {
				weight := out
				if p.coalition.Has(i) {
					weight = in
				}
				row[i] += weight * (p.mean[i] - g[i])
			}
		}
		if own.at != nil {
			missed := own.scale * (own.bend - fitted.Bend(own.at, own.player))
			if s.unbiased {
				row[own.player] += missed
			} else {
				*bends = append(*bends, bend{own.player, missed})
			}
		}
		out[k] = row
	}
	return out
}

// data returns the gradients of samples. Their weights are the mean squares of the weights that
// [gradientSampler.contributions] gives them.
func (s *gradientSampler) data(samples []gradientSample) surrogate.Data {
	d := surrogate.Data{Players: s.run.n}
	for k := range samples {
		for _, p := range samples[k].pairs {
			d.Coalitions = append(d.Coalitions, p.coalition)
			d.Gradients = append(d.Gradients, p.mean)
			q := float64(p.size) / float64(s.run.n)
			d.Weights = append(d.Weights, 1/(4*q*(1-q)))
		}
	}
	return d
}

// shares returns the parts of an efficiency residual that the players get: the coefficients of a regression of the
// players' contributions on their sum, over the rows. The rows must be other ones than those to be corrected. The
// shares sum to 1.
func (s *gradientSampler) shares(rows [][]float64) []float64 {
	n := s.run.n
	shares, mean := make([]float64, n), make([]float64, n)
	squares := 0.0
	if len(rows) >= fewSamples {
		for _, row := range rows {
			floats.AddScaled(mean, 1/float64(len(rows)), row)
		}
		for _, row := range rows {
			total := floats.Sum(row) - floats.Sum(mean)
			squares += total * total
			for i, v := range row {
				shares[i] += total * (v - mean[i])
			}
		}
	}
	for i := range shares {
		if squares > 0 {
			shares[i] /= squares
		} else {
			shares[i] = 1 / float64(n)
		}
	}
	return shares
}
