package compare

import (
	"encoding/csv"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/attribution/internal/numfmt"
)

// Agreement says how alike the estimates of one estimator for one game are under several seeds, that is, whether an
// explanation can be reproduced. It needs no true values. All fields but Spread are means over pairs of seeds.
type Agreement struct {
	// Subject is the game's name, Estimator that of [attribution.Estimator.Name].
	Subject, Estimator string
	// Budget is what each estimate was given, in forward-equivalents.
	Budget float64
	// Seeds is the number of estimates, at least 2.
	Seeds int
	// Rank is the rank correlation of [Spearman].
	Rank float64
	// Top is the [Jaccard] index of the k players with the largest estimates, k as in [Comparison].
	Top float64
	// Sign is [SignAgreement]; players whose value is zero in the first estimate of a pair do not count.
	Sign float64
	// Spread is the standard deviation over seeds, root mean squared over players, in units of the root mean square of
	// the mean estimate.
	Spread float64
}

// agree compares the estimates of several seeds.
//
// Shapes: estimates [seeds][players].
func agree(estimates [][]float64, k int) Agreement {
	a := Agreement{Seeds: len(estimates)}
	top := make([][]bool, len(estimates))
	for s, e := range estimates {
		top[s] = make([]bool, len(e))
		for _, i := range estimate.Largest(e, k) {
			top[s][i] = true
		}
	}
	couples := 0.0
	for s := range estimates {
		for o := range s {
			a.Rank += Spearman(estimates[o], estimates[s])
			a.Top += Jaccard(top[o], top[s])
			a.Sign += SignAgreement(estimates[o], estimates[s])
			couples++
		}
	}
	a.Rank, a.Top, a.Sign = a.Rank/couples, a.Top/couples, a.Sign/couples
	size, spread := 0.0, 0.0
	for i := range estimates[0] {
		mean, m2 := 0.0, 0.0
		for s, e := range estimates {
			d := e[i] - mean
			mean += d / float64(s+1)
			m2 += d * (e[i] - mean)
		}
		size += mean * mean
		spread += m2 / float64(len(estimates)-1)
	}
	a.Spread = math.Sqrt(spread / size)
	return a
}

// agreements compares the runs of one estimator with one budget, game by game. values holds the estimate of each run,
// nil where there is none.
func (c *Comparison) agreements(s *Study, runs []Run, values [][]float64) {
	for from := 0; from < len(runs); {
		to := from + 1
		for to < len(runs) && runs[to].subject == runs[from].subject {
			to++
		}
		found := slices.DeleteFunc(slices.Clone(values[from:to]), func(v []float64) bool { return v == nil })
		if len(found) > 1 {
			a := agree(found, s.keep(len(found[0])))
			a.Subject, a.Estimator, a.Budget = runs[from].Subject, runs[from].Estimator, runs[from].Budget
			c.Agreements = append(c.Agreements, a)
		}
		from = to
	}
}

// WriteAgreements writes one line of CSV for each game, estimator and budget that ran with several seeds, with a
// header. Undefined numbers are empty.
func (c *Comparison) WriteAgreements(w io.Writer) error {
	out := csv.NewWriter(w)
	// csv.Writer keeps the first error for Error
	_ = out.Write([]string{"estimator", "budget", "subject", "seeds", "spearman", "top_k_jaccard", "sign_agreement",
		"spread"})
	for _, a := range c.Agreements {
		_ = out.Write([]string{a.Estimator, numfmt.Text(a.Budget), a.Subject, strconv.Itoa(a.Seeds),
			numfmt.Text(a.Rank), numfmt.Text(a.Top),
			numfmt.Text(a.Sign), numfmt.Text(a.Spread)})
	}
	out.Flush()
	return out.Error()
}

// MeanAgreement is the mean over the games of one estimator with one budget; ok is false where no game ran with
// several seeds. Seeds is the smallest number of seeds of any game. A measure that is undefined (NaN) for some games
// is the mean over the others.
func (c *Comparison) MeanAgreement(estimator string, budget float64) (mean Agreement, ok bool) {
	mean = Agreement{Estimator: estimator, Budget: budget}
	fields := func(a *Agreement) []*float64 { return []*float64{&a.Rank, &a.Top, &a.Sign, &a.Spread} }
	counts := [4]float64{}
	for _, a := range c.Agreements {
		if a.Estimator != estimator || a.Budget != budget {
			continue
		}
		if !ok || a.Seeds < mean.Seeds {
			mean.Seeds = a.Seeds
		}
		ok = true
		for f, v := range fields(&a) {
			if !math.IsNaN(*v) {
				*fields(&mean)[f] += *v
				counts[f]++
			}
		}
	}
	for f, v := range fields(&mean) {
		*v /= counts[f]
	}
	return mean, ok
}
