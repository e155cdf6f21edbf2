package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

// extractor computes features of image sets, or finds them in a folder where it left them.
type extractor struct {
	*common
	net        *nets.Network
	program    *graph.Program
	dir        string // "" for no cache
	weightsSHA string
}

// samples returns features, logits and labels of a set. name is how its cache file is called.
func (x *extractor) samples(ctx context.Context, name, spec string) (posthoc.Samples, error) {
	set, err := dataset.Open(spec)
	if err != nil {
		return posthoc.Samples{}, fmt.Errorf("%s: %w", name, err)
	}
	defer set.Close()
	return x.samplesOf(ctx, name, set)
}

// samplesOf is samples for a set that is open.
func (x *extractor) samplesOf(ctx context.Context, name string, set dataset.Dataset) (posthoc.Samples, error) {
	if x.dir == "" {
		return x.extract(ctx, name, set)
	}
	path := filepath.Join(x.dir, fileName(name)+".npz")
	source, err := x.source(ctx, name, set)
	if err != nil {
		return posthoc.Samples{}, err
	}
	if s, ok, err := x.cached(path, source); err != nil || ok {
		return s, err
	}
	s, err := x.extract(ctx, name, set)
	if err != nil {
		return s, err
	}
	labels := s.Labels
	if labels == nil {
		labels = make([]int, s.N)
		for i := range labels {
			labels[i] = -1
		}
	}
	return s, npyz.WriteNpz(path, npyz.Stored,
		npyz.Named{Name: "features", Array: npyz.New(s.Features, s.N, s.Dim)},
		npyz.Named{Name: "logits", Array: npyz.New(s.Logits, s.N, s.Classes)},
		npyz.Named{Name: "labels", Array: npyz.New(int64s(labels))},
		npyz.Named{Name: "source", Array: npyz.Scalar(source)})
}

func (x *extractor) extract(ctx context.Context, name string, set dataset.Dataset) (posthoc.Samples, error) {
	s := posthoc.Samples{N: set.Len(), Dim: x.net.Dim(), Classes: x.net.Classes()}
	s.Features = make([]float32, 0, s.N*s.Dim)
	s.Logits = make([]float32, 0, s.N*s.Classes)
	stream, finish := x.stream(ctx, name, set, x.net.Preprocessing())
	defer finish()
	for out, err := range x.program.Run(ctx, stream) {
		if err != nil {
			return s, err
		}
		s.Features = append(s.Features, out.Float32(nets.Features)...)
		s.Logits = append(s.Logits, out.Float32(nets.Logits)...)
	}
	s.Labels = labelled(set)
	return s, nil
}

// source identifies what features are made from: the network, its weights, and the set's names, labels and pixels.
func (x *extractor) source(ctx context.Context, name string, set dataset.Dataset) (string, error) {
	digests := make([][sha256.Size]byte, set.Len())
	bar := x.newBar(name+": compare with kept features", set.Len())
	defer bar.finish()
	group, ctx := errgroup.WithContext(ctx)
	workers := x.workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	for w := range workers {
		group.Go(func() error {
			for i := w; i < len(digests); i += workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				img, err := set.Image(i)
				if err != nil {
					return err
				}
				h := sha256.New()
				fmt.Fprintf(h, "%s\n%d %d\n", filepath.Base(set.ID(i)), img.Height, img.Width)
				h.Write(img.Pix)
				h.Sum(digests[i][:0])
				bar.add(1)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "goline features 2\n%s\n%s\n%d %d\n", x.net.Name(), x.weightsSHA, set.Len(), set.Labels())
	for _, d := range digests {
		h.Write(d[:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// cached reads features from an earlier call. A file made from something else is to be made anew; a broken one is an error.
func (x *extractor) cached(path, source string) (s posthoc.Samples, ok bool, err error) {
	a, err := npyz.ReadNpz(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("cached features: %w (delete the file to compute them again)", err)
	}
	switch got, err := a.String("source"); {
	case err != nil:
		return s, false, fmt.Errorf("%s is not a file of kept features, and is not replaced: choose another --features-dir", path)
	case got != source:
		return s, false, nil
	}
	labels, err := a.Ints("labels", -1)
	if err != nil {
		return s, false, fmt.Errorf("cached features %s: %w", path, err)
	}
	s = posthoc.Samples{N: len(labels), Dim: x.net.Dim(), Classes: x.net.Classes()}
	if s.Features, err = a.Float32("features", s.N, s.Dim); err != nil {
		return s, false, fmt.Errorf("cached features %s: %w", path, err)
	}
	if s.Logits, err = a.Float32("logits", s.N, s.Classes); err != nil {
		return s, false, fmt.Errorf("cached features %s: %w", path, err)
	}
	for _, l := range labels {
		if l >= 0 {
			s.Labels = labels
		}
	}
	return s, true, nil
}

// fileName makes a set's name safe as a file name, and different names different.
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
