package interactions

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/internal/sampling"
)

const (
	// MaxPlayers is the largest number of players whose pairs [Sampled] estimates together: half a million pairs.
	MaxPlayers = 1024
	// leastSamples is the number of samples from which intervals are given.
	leastSamples = 30
	// firstRound is the number of samples before the standard errors are first looked at.
	firstRound = 32
)

// Sampled estimates interactions by second differences at random coalitions. A sample draws a number q, uniform in
// [0, 1] for Shapley's indices and 1/2 for Banzhaf's, and a coalition that holds every player with probability q. For
// every pair, the coalition without the pair then has the size distribution of the index (the multilinear extension
// of Owen 1972, integrated over the diagonal). The sample is the mean of the differences at this coalition and at its
// complement, for all pairs and all single players. For m players it needs 2 (1 + m + m(m-1)/2) values, each of which
// serves many pairs. The estimate is unbiased, and the standard errors are those of the mean over samples. For a
// [attribution.Sampled] game each sample draws one member.
type Sampled struct {
	// Index is the interaction index to estimate.
	Index Index
	// Among are the players whose pairs are estimated, ascending; all other players are only part of coalitions. Nil
	// stands for all players. There may be at most [MaxPlayers]. [KSII] needs all players.
	Among []int
}

// Name returns "sampled-" and the index.
func (e Sampled) Name() string { return "sampled-" + e.Index.String() }

// check returns an error for an index, a game or options that cannot be used.
func check(x Index, g attribution.Game, opt attribution.Options) error {
	if err := x.check(); err != nil {
		return err
	}
	if err := attribution.CheckGame(g); err != nil {
		return err
	}
	return opt.Check()
}

// players returns the players whose pairs are estimated, out of n.
func (e Sampled) players(n int) ([]int, error) {
	if e.Among == nil {
		if n > MaxPlayers {
			return nil, fmt.Errorf("attribution: %s: expected at most %d players, got %d: choose some with Among",
				e.Name(), MaxPlayers, n)
		}
		return everyone(n), nil
	}
	switch m := len(e.Among); {
	case m == 0 || m > MaxPlayers:
		return nil, fmt.Errorf("attribution: %s: expected 1 to %d players in Among, got %d", e.Name(), MaxPlayers, m)
	case e.Index == KSII && m < n:
		return nil, fmt.Errorf("attribution: %s: expected pairs among all %d players, got %d players in Among",
			e.Name(), n, m)
	}
	for k, i := range e.Among {
		if i < 0 || i >= n || k > 0 && i <= e.Among[k-1] {
			return nil, fmt.Errorf("attribution: %s: Among: expected ascending players below %d, got %d at place %d",
				e.Name(), n, i, k)
		}
	}
	return slices.Clone(e.Among), nil
}

// Estimate implements [Estimator].
func (e Sampled) Estimate(ctx context.Context, g attribution.Game, opt attribution.Options) (Estimate, error) {
	start := time.Now()
	if err := check(e.Index, g, opt); err != nil {
		return Estimate{}, err
	}
	players, err := e.players(g.Players())
	if err != nil {
		return Estimate{}, err
	}
	d := newDraws(e.Index, g, opt, players)
	samples, stop, err := d.plan(e.Name())
	if err != nil {
		return Estimate{}, err
	}
	out := Estimate{Method: e.Name(), Index: e.Index, Players: players, Names: attribution.PlayerNames(g),
		LeastSamples: leastSamples, Stopped: stop}
	if out.Empty, out.Full, err = d.ends(ctx); err == nil {
		var total *sampling.Moments
		if total, out.Stopped, err = d.take(ctx, samples, stop); total != nil {
			d.fill(&out, total)
		}
	}
	out.settle(g.Players())
	out.Evaluations = d.evaluations.Load()
	spent := float64(d.evaluations.Load()-d.whole)*d.perValue + float64(d.whole)*attribution.ForwardsPerValue(g)
	out.Cost = attribution.Cost{Forwards: spent, Equivalents: spent, Seconds: time.Since(start).Seconds()}
	if sampling.Interrupted(ctx, err) {
		out.Stopped = attribution.StopInterrupted
		return out, fmt.Errorf("attribution: %s stopped after %d samples: %w", e.Name(), out.Samples, err)
	}
	if err != nil {
		return Estimate{}, err
	}
	return out, nil
}

// plan returns the largest number of samples to take, and the reason for that limit.
func (d *draws) plan(name string) (int, attribution.Stop, error) {
	o, per := d.opt, float64(d.perSample())*d.perValue
	fixed := 2 * attribution.ForwardsPerValue(d.game)
	const most = 1 << 30
	switch {
	case o.Samples > 0:
		if need := fixed + float64(o.Samples)*per; o.Budget > 0 && need > o.Budget*(1+1e-12) {
			return 0, "", fmt.Errorf("%w: %s needs %.6g forward-equivalents for %d samples, the budget is %.6g",
				attribution.ErrBudget, name, need, o.Samples, o.Budget)
		}
		return o.Samples, attribution.StopSamples, nil
	case o.Budget > 0:
		samples := math.Floor((o.Budget - fixed) / per * (1 + 1e-12))
		if samples < 1 {
			return 0, "",
				fmt.Errorf("%w: %s needs %.6g forward-equivalents for the pairs of %d players, the budget is %.6g",
					attribution.ErrBudget, name, fixed+per, len(d.players), o.Budget)
		}
		return int(min(samples, most)), attribution.StopBudget, nil
	case o.TargetStdErr > 0:
		return most, attribution.StopBudget, nil
	}
	return 0, "", fmt.Errorf("attribution: %s needs a number of samples, a budget or a target standard error", name)
}

// fill copies values and standard errors from the moments of the samples.
func (d *draws) fill(out *Estimate, total *sampling.Moments) {
	out.Samples, out.DF = total.Count, float64(total.Count-1)
	if total.Count == 0 {
		return
	}
	m := len(d.players)
	stdErr := make([]float64, len(total.Mean))
	for i := range stdErr {
		stdErr[i] = total.StandardError(i)
	}
	out.Singles, out.Pairs = total.Mean[:m], total.Mean[m:]
	out.SinglesStdErr, out.PairsStdErr = stdErr[:m], stdErr[m:]
}

// settle sets the residual; n is the game's number of players.
func (e *Estimate) settle(n int) {
	e.Residual = math.NaN()
	if e.Index != KSII || len(e.Players) < n || e.Singles == nil {
		return
	}
	e.Residual = e.Full - e.Empty
	for _, part := range [][]float64{e.Singles, e.Pairs} {
		for _, v := range part {
			e.Residual -= v
		}
	}
}
