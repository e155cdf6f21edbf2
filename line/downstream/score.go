package downstream

import (
	"math"

	"github.com/line-ood/goline/attribution/games"
	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/line"
)

// ScoreGame returns the part of [games.PenultimateOptions] that makes the score of a detector the value of a game.
// Its thresholds are the largest dropped contributions and products, so that they keep exactly the neurons and
// weights that the detector keeps. A step that is switched off drops nothing.
func ScoreGame(det *line.Detector) *games.LINe {
	net := det.Network()
	k, d := net.Classes(), net.FeatureDim()
	w, _ := net.Head()
	weight := w.Float32s()
	p := &games.LINe{Contributions: mathx.Float64s(det.Mean()), Clip: det.Options().Clip}
	switch o := det.Options(); {
	case o.NoClipping:
		p.Clip = math.Inf(1)
	case o.ClipPercentile != 0 && !o.ClipPerClass:
		p.Limits = mathx.Float64s(det.ClipLimits(0))
	case o.ClipPercentile != 0:
		for c := range k {
			p.Limits = append(p.Limits, mathx.Float64s(det.ClipLimits(c))...)
		}
	}
	for c := range k {
		neurons, weights := math.Inf(-1), math.Inf(-1)
		row := p.Contributions[c*d:][:d]
		for i, kept := range det.ActiveNeurons(c) {
			if !kept {
				neurons = max(neurons, row[i])
			}
		}
		for j, kept := range det.ActiveWeights(c) {
			if !kept {
				weights = max(weights, math.Abs(row[j%d])*float64(weight[j]))
			}
		}
		p.ActivationThresholds = append(p.ActivationThresholds, neurons)
		p.WeightThresholds = append(p.WeightThresholds, weights)
	}
	return p
}
