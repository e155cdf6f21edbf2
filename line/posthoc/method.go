package posthoc

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Method is a post-hoc detector. After Fit, several goroutines may score at once.
type Method interface {
	// Name is the method's name as New takes it.
	Name() string
	// Params returns the settings that the scores depend on, for reports. The caller may change the map.
	Params() map[string]any
	// Fit learns what the method needs from in-distribution samples and the network's final layer. It replaces what
	// an earlier Fit learned, and keeps neither head nor id. For methods that need no fitting it does nothing. Errors
	// are those for invalid arguments, and that of ctx.
	Fit(ctx context.Context, head Head, id Samples) error
	// Score writes one score for each sample to dst, shape [sample], higher = more in-distribution. It is an error if
	// samples are invalid, dst has another length than s.N, samples have another shape than the fitted ones, a needed
	// Fit is missing (wrapping ErrNotFitted), or ctx ends; dst is then undefined.
	Score(ctx context.Context, s Samples, dst []float64) error
}

// ErrNotFitted is wrapped by the error of Score if Fit is needed and has not succeeded.
var ErrNotFitted = errors.New("not fitted")

// Options sets up a method.
type Options struct {
	// Params sets parameters by name, see [Parameters]; missing ones take their defaults.
	Params map[string]float64
	// Workers is the number of goroutines that fit and score; 0 means GOMAXPROCS. It does not change any score.
	Workers int
}

// oneOf lists the names that an error message expects.
func oneOf(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return "one of " + strings.Join(names, ", ")
}

// base holds what all methods made of parts have: name, settings by name, and the number of goroutines.
type base struct {
	name    string
	params  map[string]float64
	workers int
}

func (b *base) Name() string { return b.name }

func (b *base) Params() map[string]any {
	out := make(map[string]any, len(b.params))
	for name, v := range b.params {
		out[name] = v
	}
	return out
}

// errorf prefixes an error with the package and the method.
func (b *base) errorf(format string, args ...any) error {
	return fmt.Errorf("posthoc: "+b.name+": "+format, args...)
}

// checkScore validates the arguments of Score.
func (b *base) checkScore(s Samples, dst []float64) error {
	if err := s.validate(); err != nil {
		return b.errorf("%w", err)
	}
	if len(dst) != s.N {
		return b.errorf("expected room for %d scores, one for each sample, got room for %d", s.N, len(dst))
	}
	return nil
}

// checkFit validates the arguments of Fit.
func (b *base) checkFit(head Head, id Samples) error {
	if err := head.Validate(); err != nil {
		return b.errorf("%w", err)
	}
	if err := id.validate(); err != nil {
		return b.errorf("%w", err)
	}
	return b.checkShape(id, head.Classes, head.FeatureDim)
}

// checkShape returns an error if the samples do not fit a head of that shape.
func (b *base) checkShape(s Samples, classes, features int) error {
	if s.FeatureDim != features || s.Classes != classes {
		return b.errorf("expected samples of %d features and %d classes, as the head has, got %d and %d", features,
			classes, s.FeatureDim, s.Classes)
	}
	return nil
}
