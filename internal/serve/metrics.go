package serve

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/line-ood/goline/line"
)

// metrics holds the metrics of a server that /metrics shows. Those of a model are replaced with it, see modelMetrics.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by api and code
	seconds  *prometheus.HistogramVec // by api
	waited   prometheus.Histogram
	ran      prometheus.Histogram
	batch    prometheus.Histogram
	shed     prometheus.Counter
	reloads  *prometheus.CounterVec // by result
}

// newMetrics returns the metrics of a server. images returns the number of images that wait or run.
func newMetrics(images func() float64) *metrics {
	r := prometheus.NewRegistry()
	m := &metrics{
		registry: r,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goline_requests_total",
			Help: "Requests answered, by API and HTTP status."}, []string{"api", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "goline_request_duration_seconds",
			Help:    "Time from the header of a request to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15)}, []string{"api"}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "goline_queue_duration_seconds",
			Help: "Time that an image waited for its batch.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 18)}),
		ran: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "goline_batch_duration_seconds",
			Help: "Time that a batch ran.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16)}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "goline_batch_images",
			Help: "Images of a batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 8)}),
		shed: prometheus.NewCounter(prometheus.CounterOpts{Name: "goline_shed_total",
			Help: "Requests refused with 429."}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goline_reloads_total",
			Help: "Reloads of the detector, by result."}, []string{"result"}),
	}
	r.MustRegister(m.requests, m.seconds, m.waited, m.ran, m.batch, m.shed, m.reloads,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "goline_queue_images", Help: "Images that wait or run."},
			images),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// modelMetrics holds the metrics of one model.
type modelMetrics struct {
	scores  prometheus.Histogram
	pValues prometheus.Histogram // nil without a calibration
	images  *prometheus.CounterVec
	share   recent
	all     []prometheus.Collector
}

// percentiles are the percentiles of the fitted images' scores that bound the buckets of the histogram of scores.
var percentiles = []float64{0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9}

// of returns the metrics of a model. The server shows them after show.
func (m *metrics) of(l Loaded) *modelMetrics {
	labels := prometheus.Labels{"version": l.Version}
	out := &modelMetrics{
		scores: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "goline_score", ConstLabels: labels,
			Buckets: scoreBounds(l.Detector),
			Help: "Scores. Bounds are percentiles of the scores of the images that the detector was fitted to, " +
				"where they are known."}),
		images: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "goline_images_total", ConstLabels: labels,
			Help: "Images scored: in, out (out-of-distribution), or unjudged where the detector has no threshold."},
			[]string{"verdict"}),
	}
	out.all = []prometheus.Collector{out.scores, out.images,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "goline_out_of_distribution_share", ConstLabels: labels,
			Help: "Share of out-of-distribution among the latest 1,000 images."}, out.share.value)}
	if _, err := l.Detector.Calibrator(); err == nil {
		out.pValues = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "goline_p_value", ConstLabels: labels,
			Help:    "P-values: while nothing drifts a share of at most p lies at or below p.",
			Buckets: []float64{0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}})
		out.all = append(out.all, out.pValues)
	}
	return out
}

// show replaces the metrics of one model, nil for none, by those of another.
func (m *metrics) show(before, now *modelMetrics) {
	if before != nil {
		for _, c := range before.all {
			m.registry.Unregister(c)
		}
	}
	for _, c := range now.all {
		m.registry.MustRegister(c)
	}
}

// scoreBounds returns ascending bounds for the histogram of scores.
func scoreBounds(d *line.Detector) []float64 {
	var bounds []float64
	for _, p := range percentiles {
		if t, err := d.Threshold(1 - p/100); err == nil {
			bounds = append(bounds, t)
		}
	}
	if len(bounds) == 0 {
		return prometheus.LinearBuckets(-50, 5, 21)
	}
	slices.Sort(bounds)
	return slices.Compact(bounds)
}

// count adds the result for an image.
func (m *modelMetrics) count(r line.Result) {
	m.scores.Observe(r.Score)
	if m.pValues != nil {
		m.pValues.Observe(r.P)
	}
	switch {
	case !r.Judged:
		m.images.WithLabelValues("unjudged").Inc()
		return
	case r.OOD:
		m.images.WithLabelValues("out").Inc()
	default:
		m.images.WithLabelValues("in").Inc()
	}
	m.share.add(r.OOD)
}

// recent holds the latest verdicts.
type recent struct {
	mu         sync.Mutex
	out        [1000]bool
	seen, outs int
}

func (r *recent) add(out bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := &r.out[r.seen%len(r.out)]
	if *at {
		r.outs--
	}
	if *at = out; out {
		r.outs++
	}
	r.seen++
}

// value returns the share of out-of-distribution verdicts, 0 before the first verdict.
func (r *recent) value() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == 0 {
		return 0
	}
	return float64(r.outs) / float64(min(r.seen, len(r.out)))
}
