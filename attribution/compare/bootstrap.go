package compare

import (
	"math"
	"math/rand/v2"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
	"github.com/line-ood/goline/internal/quantile"
)

// Band is a mean over runs with its bootstrap interval.
type Band struct {
	// Mean is over the runs where the metric is defined, NaN where there are none.
	Mean float64
	// Lo and Hi are percentiles of the bootstrap distribution of the mean, NaN with a single run.
	Lo, Hi float64
}

// Cell summarises the runs of one estimator with one budget.
type Cell struct {
	// Estimator is the name of [attribution.Estimator.Name], Budget what it was given, in forward-equivalents.
	Estimator string
	Budget    float64
	// Runs is the number of runs, Skipped the number of those that could not be made.
	Runs, Skipped int
	// Cost is the mean over the runs.
	attribution.Cost
	// Bands holds one band for each metric, indexed by [Metric].
	Bands Bands
}

// Bands holds one band for each metric, indexed by [Metric].
type Bands [metricCount]Band

// summarise fills in the cells from the runs.
func (c *Comparison) summarise(s Study) {
	resamples := s.Resamples
	if resamples == 0 {
		resamples = 1000
	}
	for from := 0; from < len(c.Runs); {
		to := from + 1
		for to < len(c.Runs) && c.Runs[to].Estimator == c.Runs[from].Estimator &&
			c.Runs[to].Budget == c.Runs[from].Budget {
			to++
		}
		c.Cells = append(c.Cells, summarise(c.Runs[from:to], resamples, s.level(), s.Seed))
		from = to
	}
}

func summarise(runs []Run, resamples int, level float64, seed uint64) Cell {
	cell := Cell{Estimator: runs[0].Estimator, Budget: runs[0].Budget}
	for _, r := range runs {
		if r.Skipped != "" {
			cell.Skipped++
			continue
		}
		cell.Runs++
		cell.Cost = cell.Cost.Add(r.Cost)
	}
	cell.Cost = cell.Cost.Div(float64(cell.Runs))
	for m := range cell.Bands {
		var clusters [][]float64
		last := -1
		for _, r := range runs {
			if math.IsNaN(r.Scores[m]) {
				continue
			}
			if r.subject != last || clusters == nil {
				clusters, last = append(clusters, nil), r.subject
			}
			clusters[len(clusters)-1] = append(clusters[len(clusters)-1], r.Scores[m])
		}
		cell.Bands[m] = bootstrapMean(clusters, resamples, level, seed)
	}
	return cell
}

// bootstrapMean is the mean of all values and its percentile bootstrap interval (Efron 1979). Clusters, the games, are
// drawn with replacement first and values, the seeds, within each drawn cluster; a single cluster stays as it is.
func bootstrapMean(clusters [][]float64, resamples int, level float64, seed uint64) Band {
	total, count := 0.0, 0
	for _, c := range clusters {
		for _, v := range c {
			total += v
			count++
		}
	}
	band := Band{Mean: total / float64(count), Lo: math.NaN(), Hi: math.NaN()}
	if count < 2 {
		return band
	}
	means := make([]float64, resamples)
	var rng rand.PCG
	for b := range means {
		sampling.SeedStream(&rng, seed, sampling.DomainBootstrap, uint64(b))
		total, count := 0.0, 0
		for i := range clusters {
			c := clusters[i]
			if len(clusters) > 1 {
				c = clusters[sampling.Below(&rng, len(clusters))]
			}
			for range c {
				total += c[sampling.Below(&rng, len(c))]
				count++
			}
		}
		means[b] = total / float64(count)
	}
	lo, errLo := quantile.Percentile(means, 50*(1-level))
	hi, errHi := quantile.Percentile(means, 50*(1+level))
	if errLo == nil && errHi == nil {
		band.Lo, band.Hi = lo, hi
	}
	return band
}
