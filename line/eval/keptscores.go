package eval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line/posthoc"
)

// KeptScores keeps scores in a folder, one file for each method and set. A file is identified by all that the scores
// depend on: the scored samples, the method with its parameters, the head, the fitted samples with their labels, and
// the program. Methods must be those of [posthoc.New], since two methods with the same name and parameters are taken
// to be the same. It is for one goroutine.
type KeptScores struct {
	// Dir is the folder; it must exist.
	Dir string
	// Program identifies the code that scores, for example by the hash of the running program. Scores of other code
	// are not used.
	Program string

	known map[content]string  // hashes of samples
	heads map[*float32]string // hashes of heads, by their first weight
}

// content identifies hashed samples by their place in memory, and says whether the labels were part of the hash.
type content struct {
	logits *float32
	n      int
	labels bool
}

// key identifies the scores that a method gives to a set; "" where scores are not kept.
func (k *KeptScores) key(m posthoc.Method, d Data, set posthoc.Samples) (string, error) {
	if k == nil || set.N == 0 {
		return "", nil
	}
	h := sha256.New()
	fmt.Fprintf(h, "goline scores 2\n%q\n%q\n", k.Program, m.Name())
	params := m.Params()
	for _, name := range slices.Sorted(maps.Keys(params)) {
		fmt.Fprintf(h, "%q = %#v\n", name, params[name])
	}
	fmt.Fprintf(h, "%s\n%s\n%s\n", k.head(d.Head), k.hash(d.Fit.Samples, true), k.hash(set, false))
	return hex.EncodeToString(h.Sum(nil)), nil
}

// head returns the hash of a head.
func (k *KeptScores) head(head posthoc.Head) string {
	if len(head.Weight) == 0 {
		return "none"
	}
	if known, ok := k.heads[&head.Weight[0]]; ok {
		return known
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", head.Classes, head.FeatureDim)
	write32(h, head.Weight)
	write32(h, head.Bias)
	if k.heads == nil {
		k.heads = map[*float32]string{}
	}
	k.heads[&head.Weight[0]] = hex.EncodeToString(h.Sum(nil))
	return k.heads[&head.Weight[0]]
}

// hash returns the hash of samples, with or without their labels.
func (k *KeptScores) hash(s posthoc.Samples, labels bool) string {
	if s.N == 0 || len(s.Logits) == 0 {
		return "none"
	}
	key := content{&s.Logits[0], s.N, labels}
	if known, ok := k.known[key]; ok {
		return known
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %d\n", s.N, s.FeatureDim, s.Classes)
	write32(h, s.Features)
	write32(h, s.Logits)
	for _, name := range slices.Sorted(maps.Keys(s.Extra)) {
		fmt.Fprintf(h, "%q %d\n", name, s.Extra[name].Width)
		write32(h, s.Extra[name].Values)
	}
	if labels {
		fmt.Fprintf(h, "%t %d\n", s.Labels != nil, s.Labels)
	}
	if k.known == nil {
		k.known = map[content]string{}
	}
	k.known[key] = hex.EncodeToString(h.Sum(nil))
	return k.known[key]
}

// write32 hashes the bits of values.
func write32(h hash.Hash, values []float32) {
	const together = 4096
	buf := make([]byte, 0, 4*together)
	for len(values) > 0 {
		some := values[:min(together, len(values))]
		values, buf = values[len(some):], buf[:0]
		for _, v := range some {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		h.Write(buf)
	}
}

func (k *KeptScores) path(key string) string {
	return filepath.Join(k.Dir, key[:32]+".npz")
}

// find reads n kept scores and the cost of computing them; nil where there are none. A damaged file is an error.
func (k *KeptScores) find(key string, n int) ([]float64, cost, error) {
	if key == "" {
		return nil, cost{}, nil
	}
	path := k.path(key)
	a, err := npyz.ReadNpz(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cost{}, nil
	}
	if err != nil {
		return nil, cost{}, fmt.Errorf("kept scores: %w (delete the file to compute them again)", err)
	}
	switch got, err := a.String("key"); {
	case err != nil:
		return nil, cost{}, fmt.Errorf("%s is not a file of kept scores, and is not replaced: choose another folder",
			path)
	case got != key:
		return nil, cost{}, nil
	}
	scores, err := a.Float64("scores", n)
	if err != nil {
		return nil, cost{}, fmt.Errorf("kept scores %s: %w", path, err)
	}
	if kept, err := a.String("digest"); err != nil || kept != scoresDigest(key, scores) {
		return nil, cost{},
			fmt.Errorf("kept scores %s: the scores are not those that were kept (delete the file to compute them "+
				"again)", path)
	}
	spent, err := a.Float64("cost", 3)
	if err != nil {
		return nil, cost{}, fmt.Errorf("kept scores %s: %w", path, err)
	}
	for _, v := range spent {
		if !(v >= 0 && v < 1<<62) {
			return nil, cost{},
				fmt.Errorf("kept scores %s: expected costs of at least 0, got %v (delete the file to compute them "+
					"again)", path, spent)
		}
	}
	return scores, cost{spent[0], spent[1], int64(spent[2])}, nil
}

// keep writes scores and the cost of computing them.
func (k *KeptScores) keep(key string, scores []float64, spent cost) error {
	if key == "" {
		return nil
	}
	return npyz.WriteNpz(k.path(key), npyz.Stored,
		npyz.Named{Name: "scores", Array: npyz.New(scores)},
		npyz.Named{Name: "cost", Array: npyz.New([]float64{spent.fitSeconds, spent.microsPerSample,
			float64(spent.bytes)})},
		npyz.Named{Name: "key", Array: npyz.Scalar(key)},
		npyz.Named{Name: "digest", Array: npyz.Scalar(scoresDigest(key, scores))})
}

// scoresDigest is a hash of scores together with their key.
func scoresDigest(key string, scores []float64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", key)
	for _, v := range scores {
		_ = binary.Write(h, binary.LittleEndian, v) // writing to a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
