package serve

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// handler answers a request, or returns an error for its caller to answer; then it must not have written anything.
type handler func(w http.ResponseWriter, r *http.Request) error

// recorder records the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// wrap returns a handler that limits the time of a request, answers errors and panics, counts and logs.
func (s *Server) wrap(api string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := requestID(r.Header.Get("X-Request-Id"))
		if id == "" {
			id = strconv.FormatUint(s.number.Add(1), 10)
		}
		rec := &recorder{ResponseWriter: w}
		ctx, cancel := context.WithDeadline(r.Context(), start.Add(s.config.Timeout))
		defer cancel()
		header := rec.Header()
		header.Set("X-Request-Id", id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		err := s.attempt(h, rec, r.WithContext(ctx))
		status := rec.status
		if err != nil {
			var message string
			status, message = statusOf(err)
			switch status {
			case http.StatusTooManyRequests:
				s.metrics.shed.Inc()
				header.Set("Retry-After", "1")
			case http.StatusUnauthorized:
				header.Set("WWW-Authenticate", `Bearer realm="goline"`)
			}
			if rec.status == 0 && status != statusGone {
				writeJSON(rec, status, map[string]string{"error": message})
			}
		}
		took := time.Since(start)
		s.metrics.requests.WithLabelValues(api, strconv.Itoa(status)).Inc()
		s.metrics.seconds.WithLabelValues(api).Observe(took.Seconds())
		level := slog.LevelDebug
		switch {
		case status >= http.StatusInternalServerError && err != nil:
			level = slog.LevelError
		case err != nil:
			level = slog.LevelInfo
		}
		if !s.config.Log.Enabled(ctx, level) { // most requests of most servers
			return
		}
		attributes := []slog.Attr{slog.String("id", id), slog.String("method", r.Method),
			slog.String("path", r.URL.Path), slog.Int("status", status), slog.Float64("seconds", took.Seconds())}
		if err != nil {
			attributes = append(attributes, slog.Any("error", err))
		}
		s.config.Log.LogAttrs(ctx, level, "request", attributes...)
	})
}

// attempt calls h and returns a panic as an error.
func (s *Server) attempt(h handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fail(http.StatusInternalServerError, "internal error")
			s.config.Log.Error("panic", "path", r.URL.Path, "value", p, "stack", string(debug.Stack()))
		}
	}()
	return h(w, r)
}

// requestID returns a client's ID of its request if that is suitable for a log.
func requestID(s string) string {
	if len(s) > 128 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return s
}

// authorized calls h for requests that have the token.
func (s *Server) authorized(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if want := s.config.Token(); want != "" {
			scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			// Hashes have the same length, so the comparison takes the same time for any token.
			a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(strings.TrimSpace(got)))
			if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
				return fail(http.StatusUnauthorized,
					"expected the header Authorization: Bearer TOKEN with the server's token")
			}
		}
		return h(w, r)
	}
}

// sooner returns the request with its time limited to d.
func sooner(r *http.Request, d time.Duration) (*http.Request, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(r.Context(), d)
	return r.WithContext(ctx), cancel
}

// read reads the body of a request within the request's time. The caller must free the body, even after an error.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (*body, error) {
	if s.room.full() { // refuse before reading anything
		return &body{budget: s.bodies}, errBusy
	}
	control := http.NewResponseController(w)
	if deadline, ok := r.Context().Deadline(); ok {
		_ = control.SetReadDeadline(deadline) // writers in tests may have no connection
	}
	b, err := readBody(r, s.config.MaxBytes, s.bodies)
	if err == nil {
		_ = control.SetReadDeadline(time.Time{})
	}
	return b, err
}
