package report

import "github.com/line-ood/goline/line/metrics"

// rateField is one rate of an OOD set, with its names in JSON and CSV and for people.
type rateField struct {
	key, title string
	value      func(*metrics.Metrics) *float64
	interval   func(*metrics.Intervals) *metrics.Interval
}

// rateFields lists the rates in the order in which they are written. It must not be changed.
var rateFields = []rateField{
	{"fpr95", "FPR95 ↓",
		func(m *metrics.Metrics) *float64 { return &m.FPR95 },
		func(c *metrics.Intervals) *metrics.Interval { return &c.FPR95 }},
	{"auroc", "AUROC ↑",
		func(m *metrics.Metrics) *float64 { return &m.AUROC },
		func(c *metrics.Intervals) *metrics.Interval { return &c.AUROC }},
	{"aupr_in", "AUPR-in ↑",
		func(m *metrics.Metrics) *float64 { return &m.AUPRIn },
		func(c *metrics.Intervals) *metrics.Interval { return &c.AUPRIn }},
	{"aupr_out", "AUPR-out ↑",
		func(m *metrics.Metrics) *float64 { return &m.AUPROut },
		func(c *metrics.Intervals) *metrics.Interval { return &c.AUPROut }},
	{"fpr95_openood", "FPR95 (OpenOOD) ↓",
		func(m *metrics.Metrics) *float64 { return &m.FPR95OpenOOD },
		func(c *metrics.Intervals) *metrics.Interval { return &c.FPR95OpenOOD }},
	{"dterr", "DTERR ↓",
		func(m *metrics.Metrics) *float64 { return &m.DTERR },
		func(c *metrics.Intervals) *metrics.Interval { return &c.DTERR }},
}
