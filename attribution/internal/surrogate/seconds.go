package surrogate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/line-ood/goline/internal/linalg"
)

const (
	// probeRows is the largest number of rows that [Seconds] times.
	probeRows = 1024
	// panelRows describes the factorisation's time, in proportion to m²(m + panelRows) for m rows: besides its m³
	// work it has m² work in panels, at less than full speed. With 2,048 and 5,120 rows it took 6.3 and 86 times as
	// long as with 1,024, on two cores of a Sapphire Rapids.
	panelRows = 640
)

// Seconds forecasts the seconds that [NewProcess] and [Process.Shapley] take for so many rows and players, and
// [Process.At] for others more rows. It times parts of the work on made-up rows: one step of the search for the
// scales, all of whose steps take the same time, and the conditioning on a smaller number of rows m. The time of
// covariances and variances is in proportion to m², that of the factorisation to up to m³.
func Seconds(ctx context.Context, rows, others, players, workers int) (float64, error) {
	if rows < 1 || others < 0 || players < 1 {
		return 0, fmt.Errorf("surrogate: expected at least 1 row, 0 others and 1 player, got %d, %d and %d", rows,
			others, players)
	}
	data := madeUp(min(rows+1, probeRows), players) // one row more for the grand coalition
	start := make([]float64, players+1)
	for i := range players {
		start[i] = math.Log(startTotal / float64(players))
	}
	l := &likelihood{ctx: ctx, data: data.thinned(learnRows, players), workers: workers}
	step := timed(func() { l.at(start) })
	if l.failed != nil {
		return 0, l.failed
	}
	p := &Process{kernel: kernelOf(start), rows: data.signs, alpha: data.y, scale: 1}
	var c covariances
	var errs [3]error
	covariance := timed(func() { c, errs[0] = data.covariance(ctx, &p.kernel, workers) })
	if errs[0] != nil {
		return 0, errs[0]
	}
	factor := timed(func() {
		p.factor, errs[1] = linalg.NewCholesky(ctx, slices.Clone(c.matrix), len(data.y), workers)
	})
	if errs[1] != nil {
		return 0, errs[1]
	}
	shapley := timed(func() { _, _, errs[2] = p.Shapley(ctx, workers) })
	if errs[2] != nil {
		return 0, errs[2]
	}
	t := times{float64(len(data.y)), step, covariance, factor, shapley}
	return t.forecast(float64(rows+1), float64(others)), nil
}

// times holds the seconds of the parts with a number of rows, and the seconds of one step of the search.
type times struct{ rows, step, covariance, factor, shapley float64 }

// forecast returns the seconds of the whole for other numbers of rows.
func (t times) forecast(rows, others float64) float64 {
	growth := rows / t.rows
	cubic := (rows + panelRows) / (t.rows + panelRows)
	conditioning := growth * growth * (t.covariance + cubic*t.factor + t.shapley)
	return learnSteps*t.step + conditioning + others*rows/(t.rows*t.rows)*t.covariance
}

// madeUp returns random rows, the same ones each time.
func madeUp(rows, players int) processData {
	rng := rand.New(rand.NewPCG(1, uint64(players)))
	d := processData{signs: make([]float64, rows*players), y: make([]float64, rows)}
	for i := range d.signs {
		d.signs[i] = float64(2*rng.IntN(2) - 1)
	}
	for r := range d.y {
		d.y[r] = rng.NormFloat64()
	}
	return d
}

// timed returns the seconds that a function takes in the better of two runs, since the first may find caches cold.
func timed(work func()) float64 {
	best := math.Inf(1)
	for range 2 {
		start := time.Now()
		work()
		best = min(best, time.Since(start).Seconds())
	}
	return best
}
