package estimate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

// kinked is a differentiable game that reports kinks.
type kinked struct{ attribution.Differentiable }

func (kinked) Kinked() bool { return true }

func size(s attribution.Coalition) float64 { return float64(s.Size()) }

func TestRecommended(t *testing.T) {
	large := randomNetwork(3, 100, 1)
	energy := large.game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	small := randomNetwork(3, 12, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	few := randomNetwork(3, 32, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	some := randomNetwork(3, 33, 1).game(t, games.PenultimateOptions{Value: attribution.LogSumExp})
	own := large.game(t, games.PenultimateOptions{Value: attribution.NewValue("own",
		func(l []float64, c int) float64 { return l[c] * l[c] }, nil)})
	for name, c := range map[string]struct {
		game attribution.Game
		opt  attribution.Options
		want string
	}{
		"linear": {large.game(t, games.PenultimateOptions{}), attribution.Options{Budget: 5},
			"closed-form"},
		"enumerable":           {small, attribution.Options{Budget: 4096}, "exact"},
		"not enumerable":       {small, attribution.Options{Budget: 1000}, "odd-regression"},
		"few, target":          {small, attribution.Options{TargetStdErr: 0.01}, "coalition-gradients-unbiased"},
		"few, tiny budget":     {small, attribution.Options{Budget: 30}, "integrated-gradients-trapezoid"},
		"few":                  {few, attribution.Options{Budget: 2000}, "odd-regression"},
		"more than few":        {some, attribution.Options{Budget: 1000}, "coalition-gradients"},
		"small budget":         {energy, attribution.Options{Budget: 1000}, "coalition-gradients"},
		"large budget":         {energy, attribution.Options{Budget: 21000}, "coalition-gradients"},
		"target":               {energy, attribution.Options{TargetStdErr: 0.1}, "coalition-gradients-unbiased"},
		"tiny budget":          {energy, attribution.Options{Budget: 50}, "integrated-gradients-trapezoid"},
		"one gradient":         {energy, attribution.Options{Budget: 5}, "gradient-activation"},
		"values":               {plain{energy}, attribution.Options{Budget: 1000}, "odd-regression"},
		"very few values":      {plain{energy}, attribution.Options{Budget: 33}, "kernelshap-paired-unbiased"},
		"no gradient, unknown": {own, attribution.Options{Budget: 1000}, "odd-regression"},
		"kinks": {kinked{energy.(attribution.Differentiable)}, attribution.Options{Budget: 500},
			"odd-regression"},
		"kinks, tiny budget": {kinked{energy.(attribution.Differentiable)}, attribution.Options{Budget: 30},
			"integrated-gradients-trapezoid"},
		"many players": {games.Func(5000, size), attribution.Options{Budget: 10100}, "antithetic"},
	} {
		e, err := Recommended{}.Estimate(background, c.game, c.opt)
		require.NoError(t, err, name)
		assert.Equal(t, c.want, e.Method, name)
		require.Len(t, e.Values, c.game.Players(), name)
	}
	_, err := Recommended{}.Estimate(background, nil, attribution.Options{Budget: 1})
	assert.ErrorIs(t, err, attribution.ErrNoPlayers)
}
