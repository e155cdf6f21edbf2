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

// Loaded is a detector to serve, with facts about it.
type Loaded struct {
	Detector *line.Detector
	// Version identifies this version of the detector, for example by the hash of its file. It must not be empty.
	Version string
	// Classes names the network's classes, nil where their names are not known.
	Classes []string
	// Graph says how this network is compiled; nil means [Config].Graph.
	Graph *graph.Options
}

// Config is the configuration of a [Server]. A zero value means the default that the field's comment names.
type Config struct {
	// Name is the model's name for clients: letters, digits, and . _ - between them.
	Name string
	// Load reads the detector, at the start and at each reload.
	Load func(ctx context.Context) (Loaded, error)
	// Graph says how the network is compiled. Its Batch is the largest number of images that run together, its Workers
	// the number of batches that run at once.
	Graph graph.Options
	// Delay is how long a batch that is not full waits for more images. The default, 0, does not wait.
	Delay time.Duration
	// Queue is the largest number of images that wait or run, over all requests; the default is 256. Further requests
	// are refused with 429.
	Queue int
	// Timeout limits the time from a request's header to its answer; the default is 10 seconds. Clients may ask for
	// less.
	Timeout time.Duration
	// MaxBytes limits the body of a request, before and after decompression; the default is 16 MiB.
	MaxBytes int64
	// MaxPixels limits the pixels of a picture; the default is 32 Mi.
	MaxPixels int
	// MaxMemory is the number of bytes that all pictures being decoded may take together; requests wait for one
	// another. The default is [dataset.DecodeMemory].
	MaxMemory int64
	// Token returns the bearer token that requests must have, "" for none. It may return another token at each call.
	// Nil means no token.
	Token func() string
	// Log receives log records; nil drops them.
	Log *slog.Logger
}

// bodies is the number of bodies of the largest size whose bytes fit into the budget.
const bodies = 16

var namePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// withDefaults returns the configuration with defaults filled in. A configuration that cannot be served is an error.
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
