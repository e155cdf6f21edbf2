package estimate

import (
	"context"
	"fmt"

	"github.com/line-ood/goline/attribution"
)

// Rescale is DeepLIFT's rescale rule (Shrikumar, Greenside and Kundaje 2017) between all players removed and all
// present, for games that have it ([attribution.Rescaled]). Where the value saturates and its gradient vanishes, the
// slope of the straight line between both ends does not. It costs one gradient, and the values sum to v(N) - v(∅) up
// to rounding. It is an approximation of unknown error: StdErr is zero and DF nil.
type Rescale struct{}

// Name returns "deeplift-rescale".
func (Rescale) Name() string { return "deeplift-rescale" }

// Estimate implements [attribution.Estimator], for the cost of one gradient and one value.
func (Rescale) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	r, err := newRun("deeplift-rescale", g, opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	d, ok := g.(attribution.Rescaled)
	if !ok {
		return attribution.Estimate{}, fmt.Errorf("%w: the game has no rescale rule", attribution.ErrNotDifferentiable)
	}
	if err := r.affordableWork(Rescale{}); err != nil {
		return attribution.Estimate{}, err
	}
	values := make([]float64, r.n)
	if err := d.Rescale(ctx, values); err != nil {
		return r.fail(ctx, err)
	}
	if err := r.endpointsOfWhole(ctx); err != nil {
		return r.fail(ctx, err)
	}
	// The value with all players present is part of the rule's own forward pass.
	r.gameValues.Add(-1)
	r.gameGrads.Add(1)
	if err := checkGradients([]float64{r.empty, r.full}, values); err != nil {
		return attribution.Estimate{}, err
	}
	return r.finish(attribution.Estimate{Values: values, StdErr: make([]float64, r.n), Samples: 1,
		Stopped: attribution.StopExact}), nil
}

// Work implements [Deterministic].
func (Rescale) Work(attribution.Game, attribution.Options) (values, gradients int, err error) {
	return 1, 1, nil
}

// Conductance is the conductance of neurons (Dhamdhere, Sundararajan and Yan 2018, equation 3): the value's slope by
// a neuron times the neuron's change, summed while the network's input goes in a straight line from a baseline to the
// sample. It needs a game that knows the neurons' path ([attribution.Traced]). The values sum to the change of the
// value between both inputs and not to v(N) - v(∅); the residual is the difference. It answers another question than
// the Shapley value of the layer's game. StdErr is zero and DF nil.
type Conductance struct{}

// Name returns "conductance".
func (Conductance) Name() string { return "conductance" }

// Estimate implements [attribution.Estimator]. A sample is a point of the path and costs as much as a gradient.
func (Conductance) Estimate(ctx context.Context, g attribution.Game,
	opt attribution.Options) (attribution.Estimate, error) {
	r, err := newRun("conductance", g, opt)
	if err != nil {
		return attribution.Estimate{}, err
	}
	d, ok := g.(attribution.Traced)
	if !ok {
		return attribution.Estimate{}, fmt.Errorf("%w: the game does not know the way of its input",
			attribution.ErrNotDifferentiable)
	}
	values := make([]float64, r.n)
	points, err := conductance(ctx, d, values)
	if err != nil {
		return r.fail(ctx, err)
	}
	if err := r.affordable(r.workCost(2, points)); err != nil {
		return attribution.Estimate{}, err
	}
	if err := r.endpointsOfWhole(ctx); err != nil {
		return r.fail(ctx, err)
	}
	r.evaluations.Add(int64(points))
	r.gameGrads.Add(int64(points))
	if err := checkGradients([]float64{r.empty, r.full}, values); err != nil {
		return attribution.Estimate{}, err
	}
	return r.finish(attribution.Estimate{Values: values, StdErr: make([]float64, r.n), Samples: points,
		Stopped: attribution.StopExact}), nil
}

// conductance asks the game for its conductance, and returns an error where the game does not know the path.
func conductance(ctx context.Context, g attribution.Traced, values []float64) (points int, err error) {
	if points, err = g.Conductance(ctx, values); err == nil && points == 0 {
		err = fmt.Errorf("%w: the game does not know the way of its input", attribution.ErrNotDifferentiable)
	}
	return points, err
}

// Work implements [Deterministic].
func (Conductance) Work(g attribution.Game, _ attribution.Options) (values, gradients int, err error) {
	d, ok := g.(attribution.Traced)
	if !ok {
		return 0, 0, fmt.Errorf("%w: the game does not know the way of its input", attribution.ErrNotDifferentiable)
	}
	points, err := conductance(context.Background(), d, make([]float64, g.Players()))
	return 2, points, err
}

// endpointsOfWhole evaluates the empty and the grand coalition of the whole game.
func (r *run) endpointsOfWhole(ctx context.Context) error {
	ends := attribution.NewCoalitions(r.n, 2)
	ends.Row(1).Fill(r.n)
	v := make([]float64, 2)
	if err := r.values(ctx, nil, ends, v); err != nil {
		return err
	}
	r.empty, r.full = v[0], v[1]
	return nil
}
