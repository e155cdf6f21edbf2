package games

import (
	"github.com/line-ood/goline/attribution"
)

func withoutTime(e attribution.Estimate) attribution.Estimate {
	e.Seconds = 0
	return e
}
