package serve

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/line-ood/goline/dataset"
)

// Server serves one detector at a time. It is safe for concurrent use.
type Server struct {
	config   Config
	metrics  *metrics
	room     *room
	bodies   *budget
	decoders chan *dataset.Reader // one for each picture that may be decoded at once
	draining atomic.Bool
	number   atomic.Uint64 // number of requests so far

	reloading sync.Mutex // one reload at a time
	mu        sync.Mutex // protects model
	model     *model
	retired   sync.WaitGroup // models that were replaced but still answer requests
}

// New loads the detector, compiles it, runs it once, and returns a server that is ready. [Server.Close] ends it.
func New(ctx context.Context, c Config) (*Server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, room: &room{most: int64(c.Queue)}, bodies: &budget{most: bodies * c.MaxBytes}}
	memory := dataset.NewMemory(c.MaxMemory)
	s.decoders = make(chan *dataset.Reader, runtime.GOMAXPROCS(0))
	for range cap(s.decoders) {
		s.decoders <- memory.Reader()
	}
	s.metrics = newMetrics(func() float64 { return float64(s.room.taken.Load()) })
	m, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.model = m
	s.metrics.show(nil, m.stats)
	return s, nil
}

func (s *Server) load(ctx context.Context) (*model, error) {
	l, err := s.config.Load(ctx)
	if err != nil {
		return nil, err
	}
	return newModel(ctx, l, s.config, s.room, s.metrics)
}

// Reload loads the detector again. Running requests finish with the old model. If there is an error, the old model
// stays.
func (s *Server) Reload(ctx context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	m, err := s.load(ctx)
	if err != nil {
		s.metrics.reloads.WithLabelValues("failed").Inc()
		return fmt.Errorf("reload: %w", err)
	}
	s.mu.Lock()
	before := s.model
	s.model = m
	s.mu.Unlock()
	s.metrics.show(before.stats, m.stats)
	s.metrics.reloads.WithLabelValues("done").Inc()
	s.config.Log.Info("reloaded", "version", m.Version, "before", before.Version)
	s.retired.Go(before.retire)
	return nil
}

// retire ends a model after its last request.
func (m *model) retire() {
	m.users.Wait()
	m.close()
}

// Version returns the version of the detector that answers new requests.
func (s *Server) Version() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model.Version
}

// use returns the model for a request. The request must call release at its end.
func (s *Server) use() (m *model, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.model.users.Add(1)
	return s.model, s.model.users.Done
}

// Drain makes the server report itself as not ready, so that no new requests are sent to it. It still answers requests.
func (s *Server) Drain() { s.draining.Store(true) }

// Close waits for running requests and ends the runners. No request may start afterwards.
func (s *Server) Close() {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.model.retire()
	s.retired.Wait()
}

// Handler returns the handler of all requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	open := func(pattern, api string, h handler) { mux.Handle(pattern, s.wrap(api, h)) }
	guarded := func(pattern, api string, h handler) { mux.Handle(pattern, s.wrap(api, s.authorized(h))) }

	open("GET /{$}", "page", page("index.html"))
	for _, name := range []string{"page.css", "page.js"} {
		open("GET /"+name, "page", page(name))
	}
	for _, path := range []string{"/healthz", "/v2/health/live"} {
		open("GET "+path, "health", s.live)
	}
	for _, path := range []string{"/readyz", "/v2/health/ready"} {
		open("GET "+path, "health", s.ready)
	}
	exposition := promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{})
	guarded("GET /metrics", "metrics", func(w http.ResponseWriter, r *http.Request) error {
		exposition.ServeHTTP(w, r)
		return nil
	})
	guarded("GET /v1/model", "model", s.describe)
	guarded("POST /v1/score", "score", s.score)
	guarded("GET /v2", "metadata", s.serverMetadata)
	for _, model := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		guarded("GET "+model, "metadata", s.named(s.modelMetadata))
		guarded("GET "+model+"/ready", "health", s.named(s.modelReady))
		guarded("POST "+model+"/infer", "infer", s.named(s.infer))
	}
	open("/", "other", func(_ http.ResponseWriter, r *http.Request) error {
		return s.nothing(mux, r)
	})
	return mux
}

// nothing returns the error for a request that matches no pattern: its path takes another method, or is unknown.
func (s *Server) nothing(mux *http.ServeMux, r *http.Request) error {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" {
			return &failure{http.StatusMethodNotAllowed, fmt.Errorf("%s %s: expected %s", r.Method, r.URL.Path, method)}
		}
	}
	return fail(http.StatusNotFound, "%s: no such path", r.URL.Path)
}

func (s *Server) live(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]bool{"live": true})
	return nil
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) error {
	if s.draining.Load() {
		return fail(http.StatusServiceUnavailable, "the server is about to end")
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ready": true})
	return nil
}
