package downstream_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/downstream"
	"github.com/line-ood/goline/nets"
)

// TestScoreGame: with all neurons present the game's value is the detector's score.
func TestScoreGame(t *testing.T) {
	ctx := context.Background()
	for name, o := range map[string]line.Options{
		"all":        {ActivationPercentile: 70, WeightPercentile: 80, Clip: 0.8},
		"no AC":      {ActivationPercentile: 30, WeightPercentile: 50, NoClipping: true},
		"percentile": {ActivationPercentile: 70, WeightPercentile: 80, ClipPercentile: 60},
		"per class":  {ActivationPercentile: 70, WeightPercentile: 80, ClipPercentile: 60, ClipPerClass: true},
		"no AP":      {NoActivationPruning: true, WeightPercentile: 90, Clip: 1},
		"no WP":      {ActivationPercentile: 90, NoWeightPruning: true, Clip: 1},
		"none":       {NoClipping: true, NoActivationPruning: true, NoWeightPruning: true},
		"all pruned": {ActivationPercentile: 100, WeightPercentile: 100, Clip: 1},
	} {
		for seed := range uint64(4) {
			net := nettest.DenseNetBC(t, 10, 4, classes, seed)
			method, err := line.NewMethod(o, graph.Options{})
			require.NoError(t, err)
			head := nets.HeadOf(net)
			require.NoError(t, method.Fit(ctx, head, samples(net, 24, 1, seed)))
			test := samples(net, 20, 1.3, 100+seed)
			want := make([]float64, test.N)
			require.NoError(t, method.Score(ctx, test, want))

			h, err := games.NewReadout(head)
			require.NoError(t, err)
			params := downstream.ScoreGame(method.Detector())
			for i := range test.N {
				g, err := games.NewPenultimate(h, mathx.Float64s(test.Features[i*test.FeatureDim:][:test.FeatureDim]),
					-1,
					games.PenultimateOptions{LINe: params})
				require.NoError(t, err)
				all, value := attribution.NewCoalitions(g.Players(), 1), make([]float64, 1)
				all.Row(0).Fill(g.Players())
				require.NoError(t, g.Values(ctx, all, value))
				assert.InDelta(t, want[i], value[0], 1e-4, "%s, sample %d", name, i)
			}
		}
	}
}
