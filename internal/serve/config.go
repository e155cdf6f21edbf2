package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
)

// Loaded is a detector to serve, with what is known of it.
type Loaded struct {
	Detector *line.Detector
	// Version tells it from those before and after it, for example by the hash of its file; not empty.
	Version string
	// Classes names the network's classes, nil where their names are not known.
	Classes []string
	// Graph says how this network is compiled; nil stands for [Config].Graph.
	Graph *graph.Options
}

// Config says what is served, and how much of it. Zero values of numbers stand for the defaults named.
type Config struct {
	// Name is what clients call the model: letters, digits, and . _ - between them.
	Name string
	// Load reads the detector, at the start and at each reload.
	Load func(ctx context.Context) (Loaded, error)
	// Graph says how the network is compiled. Its Batch is the most images that run together, its Workers how many
	// batches run at once.
	Graph graph.Options
	// Delay is how long a batch that is not full waits for more images. The default, 0, runs what is there.
	Delay time.Duration
	// Queue is the most images that wait or run, of all requests together: 256. Beyond it requests are refused with
	// 429.
	Queue int
	// Timeout bounds a request from its header to its answer: 10 seconds. Clients may ask for less.
	Timeout time.Duration
	// MaxBytes bounds the body of a request, also behind its compression: 16 MiB.
	MaxBytes int64
	// MaxPixels bounds the pixels of a picture: 32 Mi.
	MaxPixels int
	// MaxMemory is how many bytes pictures that are being decoded take together; requests wait for each other. 0 means
	// [dataset.DecodeMemory].
	MaxMemory int64
	// Token returns the bearer token that requests must bear, "" for none. It may change. Nil means none.
	Token func() string
	// Log takes what happens; nil drops it.
	Log *slog.Logger
}

// bodies is how many bodies of the largest size may be in memory at once, counting what has arrived of each.
const bodies = 16

var namePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// withDefaults fills in defaults, and fails for what cannot be served.
func (c Config) withDefaults() (Config, error) {
	if c.Load == nil {
		return c, errors.New("serve: expected a function that loads the detector, got nil")
	}
	if len(c.Name) > 128 || !namePattern.MatchString(c.Name) {
		return c, fmt.Errorf("serve: name %q: expected letters and digits, with . _ - between them", c.Name)
	}
	for _, v := range []struct {
		what  string
		value int64
	}{{"delay", int64(c.Delay)}, {"queue", int64(c.Queue)}, {"timeout", int64(c.Timeout)}, {"bytes", c.MaxBytes},
		{"pixels", int64(c.MaxPixels)}, {"memory", c.MaxMemory}} {
		if v.value < 0 {
			return c, fmt.Errorf("serve: %s %d: expected 0 or more", v.what, v.value)
		}
	}
	if c.Queue == 0 {
		c.Queue = 256
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 16 << 20
	}
	if c.MaxPixels == 0 {
		c.MaxPixels = 32 << 20
	}
	if c.Token == nil {
		c.Token = func() string { return "" }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
