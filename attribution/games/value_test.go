package games

import (
	"github.com/line-ood/goline/attribution"
)

var allValues = []attribution.Value{attribution.Logit, attribution.Probability, attribution.LogProbability, attribution.LogSumExp, attribution.Margin}
