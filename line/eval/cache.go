package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// path is the path of the file of the features of a set with that name.
func (x *Extractor) path(name string) string { return filepath.Join(x.Dir, fileName(name)+".npz") }

// keep writes features to a file for later runs.
func (x *Extractor) keep(path, source string, s posthoc.Samples) error {
	labels := make([]int64, s.N)
	for i := range labels {
		labels[i] = -1
		if s.Labels != nil {
			labels[i] = int64(s.Labels[i])
		}
	}
	return npyz.WriteNpz(path, npyz.Stored,
		npyz.Named{Name: "features", Array: npyz.New(s.Features, s.N, s.FeatureDim)},
		npyz.Named{Name: "logits", Array: npyz.New(s.Logits, s.N, s.Classes)},
		npyz.Named{Name: "labels", Array: npyz.New(labels)},
		npyz.Named{Name: "source", Array: npyz.Scalar(source)},
		npyz.Named{Name: "digest", Array: npyz.Scalar(digest(source, s, labels))})
}

// digest is a hash of features, logits and labels together with the source that they were made from. Arrays that were
// changed later, or that hold another number of images, have another digest.
func digest(source string, s posthoc.Samples, labels []int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d %d %d\n", source, s.N, s.FeatureDim, s.Classes)
	write32(h, s.Features)
	write32(h, s.Logits)
	fmt.Fprintf(h, "%d\n", labels)
	return hex.EncodeToString(h.Sum(nil))
}

// cached reads features that an earlier call wrote. A file that was made from another source counts as missing; a
// damaged one is an error.
func (x *Extractor) cached(path, source string) (s posthoc.Samples, ok bool, err error) {
	a, err := npyz.ReadNpz(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("cached features: %w (delete the file to compute them again)", err)
	}
	switch got, err := a.String("source"); {
	case err != nil:
		return s, false, fmt.Errorf("%s is not a file of kept features, and is not replaced: choose another folder",
			path)
	case got != source:
		return s, false, nil
	}
	raw, err := a.Int64("labels", -1)
	if err != nil {
		return s, false, fmt.Errorf("cached features %s: %w", path, err)
	}
	labels := make([]int, len(raw))
	for i, l := range raw {
		labels[i] = int(l)
	}
	s = posthoc.Samples{N: len(labels), FeatureDim: x.net.FeatureDim(), Classes: x.net.Classes()}
	if s.FeatureDim > 0 {
		if s.Features, err = a.Float32("features", s.N, s.FeatureDim); err != nil {
			return s, false, fmt.Errorf("cached features %s: %w", path, err)
		}
	}
	if s.Logits, err = a.Float32("logits", s.N, s.Classes); err != nil {
		return s, false, fmt.Errorf("cached features %s: %w", path, err)
	}
	if kept, err := a.String("digest"); err != nil || kept != digest(source, s, raw) {
		return posthoc.Samples{}, false,
			fmt.Errorf("cached features %s: features, logits or labels are not those that were kept (delete the file "+
				"to compute them again)", path)
	}
	if slices.ContainsFunc(labels, func(l int) bool { return l >= 0 }) {
		s.Labels = labels
	}
	return s, true, nil
}

// source identifies what features are made from: the network, its weights, its preprocessing (unless it is the
// default of the network's name), and the set's names, labels and pixels.
func (x *Extractor) source(ctx context.Context, name string, set dataset.Dataset) (string, error) {
	hashes, err := x.Hashes(ctx, name, set)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "goline features 4\n%s\n%s\n%d %d\n", x.net.Name(), x.Weights, set.Len(), set.Labels())
	if p := x.options.Graph.Precision; p != "" && p != graph.Float32 {
		fmt.Fprintf(h, "precision %s\n", p)
	}
	if p := x.net.Preprocessing(); p != (nets.Preprocessing{}) {
		if usual, ok := nets.PreprocessingByName(x.net.Name()); !ok || p != usual {
			fmt.Fprintf(h, "%v\n", p)
		}
	}
	for i, d := range hashes {
		fmt.Fprintf(h, "%q %x\n", filepath.Base(set.ID(i)), d)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// fileName turns a set's name into a safe file name; different names give different file names.
func fileName(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, name)
	if safe != name {
		sum := sha256.Sum256([]byte(name))
		safe += "-" + hex.EncodeToString(sum[:4])
	}
	return safe
}
