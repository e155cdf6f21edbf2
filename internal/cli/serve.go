package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/serve"
	"github.com/line-ood/goline/nets/weights"
)

// serveFlags are the flags of goline serve.
type serveFlags struct {
	common                        command.Common
	net                           command.Network
	detector, name, listen        string
	token, cert, key              string
	queue, pixels                 int
	bytes                         int64
	delay, timeout, drain, notice time.Duration
	logFormat, logLevel           string
}

func newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve --detector det.npz",
		Short: "Answer over HTTP what a detector says of pictures",
		Long: `Serve a fitted detector over HTTP until SIGTERM or an interrupt, then finish what runs and exit with 0. SIGHUP reads the detector, the token
and the certificate again; requests that run finish with what they began with.

  POST /v1/score                a picture (JPEG, PNG, GIF, BMP, WebP), an npy file of network input or 8-bit pixels, or JSON
                                {"picture": base64} or {"tensor": {"shape", "data"}}; ?neurons=K adds important neurons, ?timeout=500ms asks for haste
  GET  /v1/model                what is served
  POST /v2/models/NAME/infer    the Open Inference protocol (KServe v2), JSON or binary tensors; GET /v2, /v2/models/NAME, /v2/health/...
  GET  /healthz, /readyz        whether it lives, and whether it wants requests
  GET  /metrics                 for Prometheus
  GET  /                        a page to drop a picture on

Images that come at the same time run together, up to --batch of them on each of --workers. When --queue images wait or run, requests are
answered with 429. It listens on the loopback interface unless told otherwise; beyond it give --token-file, and --tls-cert and --tls-key.
Paths of health and the page itself need no token.`,
		Example: `  goline serve --detector calibrated.npz
  curl --data-binary @picture.jpg http://127.0.0.1:8080/v1/score?neurons=5
  goline serve --detector det.npz --listen :8443 --token-file token --tls-cert cert.pem --tls-key key.pem`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.common.Register(cmd)
	f.net.Register(cmd)
	fl := cmd.Flags()
	fl.StringVar(&f.detector, "detector", "", "`FILE` that goline fit or calibrate wrote")
	fl.StringVar(&f.name, "name", "",
		"what clients call the model; the default is the detector's file name without its ending")
	fl.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`ADDRESS` to listen at, host:port; port 0 takes a free one")
	fl.StringVar(&f.token, "token-file", "", "`FILE` of a token that requests must bear")
	fl.StringVar(&f.cert, "tls-cert", "", "`FILE` of a certificate, PEM")
	fl.StringVar(&f.key, "tls-key", "", "`FILE` of the certificate's key, PEM")
	fl.IntVar(&f.queue, "queue", 256, "images that may wait or run before requests are refused")
	fl.IntVar(&f.pixels, "max-pixels", 32<<20, "most pixels of a picture")
	fl.Int64Var(&f.bytes, "max-bytes", 16<<20, "most bytes of a request")
	fl.DurationVar(&f.delay, "max-delay", 0, "how long a batch that is not full waits for more images")
	fl.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long a request may take")
	fl.DurationVar(&f.drain, "drain", 30*time.Second, "how long requests that run at the end may take")
	fl.DurationVar(&f.notice, "drain-notice", 0, "how long to go on answering at the end while /readyz says no")
	fl.StringVar(&f.logFormat, "log-format", "text", "log on stderr: text or json")
	fl.StringVar(&f.logLevel, "log-level", "info", "debug (every request), info (what is refused), warn or error")
	return cmd
}

// check fails for flags that are wrong by themselves.
func (f *serveFlags) check() error {
	if err := command.Required("--detector", f.detector); err != nil {
		return err
	}
	if f.net.Given() {
		if err := command.Required(f.net.Needs()...); err != nil {
			return err
		}
		if err := f.net.Known(); err != nil {
			return err
		}
	}
	if err := f.net.CheckFiles(); err != nil {
		return err
	}
	for _, v := range []struct {
		flag  string
		value int64
		least int64
	}{
		{"--queue", int64(f.queue), 1}, {"--max-pixels", int64(f.pixels), 1}, {"--max-bytes", f.bytes, 1},
	} {
		if v.value < v.least {
			return command.Usagef("%s %d: expected at least %d", v.flag, v.value, v.least)
		}
	}
	for _, v := range []struct {
		flag  string
		value time.Duration
		least time.Duration
	}{{"--max-delay", f.delay, 0}, {"--timeout", f.timeout, time.Millisecond}, {"--drain", f.drain, 0},
		{"--drain-notice", f.notice, 0}} {
		if v.value < v.least {
			return command.Usagef("%s %v: expected at least %v", v.flag, v.value, v.least)
		}
	}
	switch {
	case (f.cert == "") != (f.key == ""):
		return command.Usagef("--tls-cert and --tls-key go together: give both")
	case f.logFormat != "text" && f.logFormat != "json":
		return command.Usagef("--log-format %q: expected text or json", f.logFormat)
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return command.Usagef("--listen %q: expected host:port", f.listen)
	}
	if f.net.Given() {
		if err := f.net.Known(); err != nil {
			return err
		}
	}
	return f.net.CheckFiles()
}

// logger returns a logger that writes the server's messages to the command's error stream.
func (f *serveFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, command.Usagef("--log-level %q: expected debug, info, warn or error", f.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}

func (f *serveFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	log, err := f.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	secrets, err := serve.ReadSecrets(f.token, f.cert, f.key)
	if err != nil {
		return err
	}
	name := f.name
	if name == "" {
		name = strings.TrimSuffix(filepath.Base(f.detector), filepath.Ext(f.detector))
	}
	ctx := cmd.Context()
	again, stop := reloadSignal() // before the files are read: without a handler the signal would end the program
	defer stop()
	s, err := serve.New(ctx, serve.Config{
		Name: name, Load: f.load, Delay: f.delay, Queue: f.queue, Timeout: f.timeout,
		MaxBytes: f.bytes, MaxPixels: f.pixels, MaxMemory: command.DecodeMemory(f.common.MaxMemory),
		Token: secrets.Token, Log: log,
	})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.listen)
	if err != nil {
		s.Close()
		return fmt.Errorf("--listen %s: %w", f.listen, err)
	}
	scheme := "http"
	if f.cert != "" {
		scheme = "https"
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() && f.token == "" {
		log.Warn("anyone who reaches this address can use the server: --token-file asks for a token", "address",
			a.String())
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-again:
				if err := secrets.Reload(); err != nil {
					log.Error("reload: the token and certificate stay", "error", err)
				}
				if err := s.Reload(ctx); err != nil {
					log.Error("the detector stays", "error", err)
				}
			}
		}
	}()
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s %s at %s://%s\n", f.detector, name, s.Version(), scheme,
		l.Addr()); err != nil {
		l.Close()
		s.Close()
		return err
	}
	return s.Run(ctx, l, serve.RunOptions{TLS: secrets.TLS(), Drain: f.drain, Notice: f.notice})
}

// load reads the detector. Its version is the start of its file's SHA-256.
func (f *serveFlags) load(context.Context) (serve.Loaded, error) {
	before, err := weights.SHA256(f.detector)
	if err != nil {
		return serve.Loaded{}, err
	}
	det, _, err := f.net.Detector(f.detector)
	if err != nil {
		return serve.Loaded{}, err
	}
	switch after, err := weights.SHA256(f.detector); {
	case err != nil:
		return serve.Loaded{}, err
	case after != before:
		return serve.Loaded{}, fmt.Errorf("%s: it changed while it was read", f.detector)
	}
	limited := f.common
	if err := limited.Limit(det.Network(), 0); err != nil {
		return serve.Loaded{}, err
	}
	options := limited.GraphOptions()
	names, err := f.net.Names()
	return serve.Loaded{Detector: det, Version: before[:12], Classes: names, Graph: &options}, err
}
