package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/probe"
)

// Needs lists the names of what methods need of each picture besides features and logits.
func Needs(methods ...posthoc.Method) []string {
	var all []string
	for _, m := range methods {
		if n, ok := m.(posthoc.Needing); ok {
			all = append(all, n.Needs()...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Extend adds the values that needs name to s, the samples that [Extractor.Samples] returned for the set. Values that
// are in the folder of kept features are read from there.
func (x *Extractor) Extend(ctx context.Context, name string, set dataset.Dataset, s *posthoc.Samples,
	needs []string) error {
	if len(needs) == 0 {
		return nil
	}
	found := map[string]posthoc.Extra{}
	source := ""
	if x.Dir != "" {
		var err error
		if source, err = x.source(ctx, name, set); err != nil {
			return err
		}
	}
	var missing []string
	for _, need := range needs {
		if e, ok, err := x.cachedExtra(name, need, source, s.N); err != nil {
			return err
		} else if ok {
			found[need] = e
		} else {
			missing = append(missing, need)
		}
	}
	images := Images(ctx, name+": input gradients and feature maps", set, x.net.Preprocessing(), x.options)
	computed, err := probe.Compute(ctx, x.net, missing, images, x.options.graph())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for need, e := range computed {
		if len(e.Values) != s.N*e.Width {
			return fmt.Errorf("%s: %s: expected %d images x %d values, got %d", name, need, s.N, e.Width, len(e.Values))
		}
		found[need] = e
		if x.Dir != "" {
			err := npyz.WriteNpz(x.path(name+" "+need), npyz.Stored,
				npyz.Named{Name: "values", Array: npyz.New(e.Values, s.N, e.Width)},
				npyz.Named{Name: "source", Array: npyz.Scalar(source + " " + need)})
			if err != nil {
				return err
			}
		}
	}
	s.Extra = found
	return nil
}

// cachedExtra reads values that an earlier call wrote. A file that was made from another source counts as missing; a
// damaged one is an error.
func (x *Extractor) cachedExtra(name, need, source string, n int) (e posthoc.Extra, ok bool, err error) {
	if x.Dir == "" {
		return e, false, nil
	}
	path := x.path(name + " " + need)
	a, err := npyz.ReadNpz(path)
	if errors.Is(err, fs.ErrNotExist) {
		return e, false, nil
	}
	if err != nil {
		return e, false, fmt.Errorf("cached features: %w (delete the file to compute them again)", err)
	}
	switch got, err := a.String("source"); {
	case err != nil:
		return e, false, fmt.Errorf("%s is not a file of kept features, and is not replaced: choose another folder",
			path)
	case got != source+" "+need:
		return e, false, nil
	}
	if e.Values, err = a.Float32("values", n, -1); err != nil {
		return e, false, fmt.Errorf("cached features %s: %w", path, err)
	}
	e.Width = len(e.Values) / n
	return e, true, nil
}
