package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of connections.
const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// RunOptions says how a server encrypts connections and how it ends.
type RunOptions struct {
	// TLS encrypts connections; nil does not.
	TLS *tls.Config
	// Notice is how long the server goes on answering after it has reported itself as not ready, so that load balancers
	// notice.
	Notice time.Duration
	// Drain is how long running requests may take to finish; 0 does not wait for them.
	Drain time.Duration
}

// Run answers the listener's connections until ctx ends. Then it drains: it reports itself as not ready, accepts no new
// connections, and lets running requests finish. An error says that the listener failed, or that requests were cut off
// because they took longer than o.Drain.
func (s *Server) Run(ctx context.Context, l net.Listener, o RunOptions) error {
	server := &http.Server{
		Handler: s.Handler(), TLSConfig: o.TLS, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		// A request is answered within its time. The rest is for a client that reads its answer slowly.
		WriteTimeout: s.config.Timeout + headerTimeout,
		ErrorLog:     slog.NewLogLogger(s.config.Log.Handler(), slog.LevelDebug),
	}
	if o.TLS != nil {
		l = tls.NewListener(l, o.TLS)
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.Drain()
	s.config.Log.Info("draining", "images", s.room.taken.Load())
	select {
	case err := <-failed:
		return err
	case <-time.After(o.Notice):
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Drain)
	defer cancel()
	err := server.Shutdown(end)
	if err != nil {
		err = errors.Join(errors.New("requests were cut off: they took longer than the time to drain"), server.Close())
	}
	s.Close()
	s.config.Log.Info("ended")
	return err
}
