package downstream

import (
	"math"

	"github.com/line-ood/goline/attribution"
)

// Spread is the Mean over runs and their standard Deviation, which is NaN for a single run.
type Spread struct{ Mean, Deviation float64 }

// Cell summarises the runs with different seeds of one game, estimator and budget.
type Cell struct {
	// Game and Estimator are names, Budget is the most forward-equivalents for each training sample.
	Game, Estimator string
	Budget          float64
	// Runs is the number of detectors. Where it is 0, Skipped says why, and all fields below are NaN or empty.
	Runs    int
	Skipped string
	// Cost is the mean cost of a run.
	attribution.Cost
	// NeuronOverlap and WeightOverlap are those of the runs, see [Run].
	NeuronOverlap, WeightOverlap Spread
	// Detections holds one entry for each set and, last, one named [Average].
	Detections []CellDetection
}

// CellDetection summarises FPR95 and AUROC on one set over the seeds, as fractions in [0, 1]. The differences are those
// to the detector of the paper's contributions, in [-1, 1]: a positive DeltaFPR95 is worse, a positive DeltaAUROC
// better.
type CellDetection struct {
	Set                                  string // the set's name, or [Average]
	FPR95, AUROC, DeltaFPR95, DeltaAUROC Spread
}

// Cells summarises the runs, in the order of the runs.
func (r *Result) Cells() []Cell {
	var out []Cell
	for from := 0; from < len(r.Runs); {
		first := &r.Runs[from]
		to := from + 1
		for to < len(r.Runs) && r.Runs[to].Game == first.Game && r.Runs[to].Estimator == first.Estimator &&
			r.Runs[to].Budget == first.Budget {
			to++
		}
		out = append(out, summarise(r.Runs[from:to]))
		from = to
	}
	return out
}

// summarise makes a cell from the runs with different seeds, or from a single skipped run.
func summarise(runs []Run) Cell {
	c := Cell{Game: runs[0].Game, Estimator: runs[0].Estimator, Budget: runs[0].Budget, Skipped: runs[0].Skipped}
	if c.Skipped == "" {
		c.Runs = len(runs)
	}
	of := func(f func(*Run) float64) Spread {
		x := make([]float64, c.Runs)
		for i := range x {
			x[i] = f(&runs[i])
		}
		return spread(x)
	}
	c.Cost = attribution.Cost{
		Forwards:    of(func(r *Run) float64 { return r.Forwards }).Mean,
		Backwards:   of(func(r *Run) float64 { return r.Backwards }).Mean,
		Equivalents: of(func(r *Run) float64 { return r.Equivalents }).Mean,
		Seconds:     of(func(r *Run) float64 { return r.Seconds }).Mean,
	}
	c.NeuronOverlap = of(func(r *Run) float64 { return r.NeuronOverlap })
	c.WeightOverlap = of(func(r *Run) float64 { return r.WeightOverlap })
	for i, d := range runs[0].Detections {
		c.Detections = append(c.Detections, CellDetection{
			Set:        d.Set,
			FPR95:      of(func(r *Run) float64 { return r.Detections[i].FPR95 }),
			AUROC:      of(func(r *Run) float64 { return r.Detections[i].AUROC }),
			DeltaFPR95: of(func(r *Run) float64 { return r.Detections[i].DeltaFPR95 }),
			DeltaAUROC: of(func(r *Run) float64 { return r.Detections[i].DeltaAUROC }),
		})
	}
	return c
}

// spread returns the mean and the sample standard deviation (divided by n-1).
func spread(x []float64) Spread {
	mean, squares := 0.0, 0.0
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	s := Spread{mean, math.NaN()}
	if len(x) > 1 {
		s.Deviation = math.Sqrt(squares / float64(len(x)-1))
	}
	return s
}
