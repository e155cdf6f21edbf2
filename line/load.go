package line

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"

	"github.com/line-ood/goline/internal/mathx"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// Load reads a detector with its network: one that package nets knows by name, or one from an ONNX file. A detector of
// a network that is defined in Go is read by [LoadFor], since no file holds its function. That of a method which
// posthoc.Register added needs the same registration in the program that reads it.
//
// Errors name the path and, where they concern one, the array. The error for a file of another kind says what it holds.
// Files of all releases can be read; those of early releases give no threshold ([ErrNoThreshold]).
func Load(path string) (*Detector, error) { return loadFile(path, loadNetwork) }

// LoadFor reads a detector for a network that is in memory already. If the network differs from the one that the
// detector was fitted to, in its architecture or in a single weight, the error wraps [ErrMismatch]. So it does if the
// network's preprocessing differs; a network without a preprocessing gets that of the detector
// ([Detector.Preprocessing]).
func LoadFor(path string, net nets.Classifier) (*Detector, error) { return loadFile(path, given(net)) }

// LoadFS is [Load] from a file system, for example embedded files. A file without random access is first read into
// memory.
func LoadFS(fsys fs.FS, name string) (*Detector, error) {
	// Check before opening, because opening a pipe waits for a writer.
	if info, err := fs.Stat(fsys, name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load detector %s: not a regular file", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("load detector: %w", err) // err names the file
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("load detector %s: %w", name, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("load detector %s: not a regular file", name)
	}
	if r, ok := f.(io.ReaderAt); ok {
		return Read(r, info.Size(), name)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("load detector %s: %w", name, err)
	}
	return Read(bytes.NewReader(data), int64(len(data)), name)
}

// Read reads a detector with its network from size bytes that [Detector.WriteTo] wrote. Errors are those of [Load],
// with name instead of a path.
func Read(r io.ReaderAt, size int64, name string) (*Detector, error) {
	return readFrom(r, size, name, loadNetwork)
}

// ReadFor is [Read] for a network that is in memory already; see [LoadFor].
func ReadFor(r io.ReaderAt, size int64, name string, net nets.Classifier) (*Detector, error) {
	return readFrom(r, size, name, given(net))
}

// network makes the network of a detector from its file, or checks the given one.
type network func(*npyz.Archive) (nets.Classifier, error)

func given(net nets.Classifier) network {
	return func(*npyz.Archive) (nets.Classifier, error) { return net, nil }
}

func loadFile(path string, n network) (*Detector, error) {
	r, err := npyz.OpenNpz(path)
	if err != nil {
		return nil, unlikeZipAt(path, fmt.Errorf("load detector: %w", err)) // err names the path
	}
	defer r.Close()
	return load(r, path, n)
}

func readFrom(r io.ReaderAt, size int64, name string, n network) (*Detector, error) {
	z, err := npyz.NewReader(r, size, name)
	if err != nil {
		return nil, unlikeZip(name, r, fmt.Errorf("load detector: %w", err))
	}
	return load(z, name, n)
}

func load(r *npyz.Reader, name string, n network) (*Detector, error) {
	if err := checkFormat(r); err != nil { // before other arrays, which may be large, are read
		return nil, fmt.Errorf("load detector %s: %w", name, err)
	}
	a, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("load detector: %w", err)
	}
	d, err := decode(a, n)
	if err != nil {
		return nil, fmt.Errorf("load detector %s: %w", name, err)
	}
	return d, nil
}

func decode(a *npyz.Archive, n network) (*Detector, error) {
	if err := checkVersion(a); err != nil {
		return nil, err
	}
	net, err := n(a)
	if err != nil {
		return nil, err
	}
	if err := checkNetwork(a, net); err != nil {
		return nil, err
	}
	d := &Detector{net: net}
	if d.preprocessing, err = decodePreprocessing(a); err != nil {
		return nil, err
	}
	if err := checkPreprocessing(d.preprocessing, net); err != nil {
		return nil, err
	}
	if a.Has(methodArray) {
		if d.other, err = decodeOther(a, net); err != nil {
			return nil, err
		}
		if d.fitScores, err = decodeFitScores(a, a.Float64); err != nil {
			return nil, err
		}
		return d, d.decodePictures(a)
	}
	if d.options, err = decodeOptions(a); err != nil {
		return nil, err
	}
	if d.contributions, err = decodeContributions(a, net.Classes(), net.FeatureDim()); err != nil {
		return nil, err
	}
	if d.mean, err = d.contributions.Mean(); err != nil {
		return nil, err
	}
	stored, err := finite(a, "contributions", net.Classes(), net.FeatureDim())
	if err != nil {
		return nil, err
	}
	if i := firstDifference(stored, d.mean); i >= 0 {
		return nil, fmt.Errorf("contributions: expected %v at index %d, as the sums and counts give, got %v", d.mean[i],
			i, stored[i])
	}
	if d.options.measuresClip() {
		if d.limits, err = finite(a, clipLimitsArray, d.options.limitShape(net.Classes(),
			net.FeatureDim())...); err != nil {
			return nil, err
		}
	}
	if !d.options.NoActivationPruning {
		if d.activation, err = finite(a, "activation_thresholds", net.Classes()); err != nil {
			return nil, err
		}
	}
	if !d.options.NoWeightPruning {
		if d.weight, err = finite(a, "weight_thresholds", net.Classes()); err != nil {
			return nil, err
		}
	}
	narrow := func(name string, shape ...int) ([]float64, error) {
		v, err := a.Float32(name, shape...)
		return mathx.Float64s(v), err
	}
	if d.fitScores, err = decodeFitScores(a, narrow); err != nil {
		return nil, err
	}
	return d, d.decodePictures(a)
}

// decodePreprocessing returns the preprocessing of the images that the detector was fitted to, the zero value where
// the file does not state it.
func decodePreprocessing(a *npyz.Archive) (p nets.Preprocessing, err error) {
	if !a.Has(preprocessingArray) {
		return p, nil
	}
	text, err := a.String(preprocessingArray)
	if err != nil {
		return p, err
	}
	if err := p.UnmarshalJSON([]byte(text)); err != nil {
		return p, fmt.Errorf("array %q: %w", preprocessingArray, err)
	}
	return p, nil
}

// checkPreprocessing returns an error where the network's preprocessing differs from that of the images that the
// detector was fitted to. An unknown preprocessing differs from none.
func checkPreprocessing(p nets.Preprocessing, net nets.Classifier) error {
	unknown := nets.Preprocessing{}
	if own := net.Preprocessing(); p != unknown && own != unknown && p != own {
		return fmt.Errorf("%w: it was fitted to other images: expected those prepared by %s, as network %s takes "+
			"them, got those prepared by %s", ErrMismatch, own, net.Name(), p)
	}
	return nil
}

// decodeFitScores returns the scores of the images that the detector was fitted to, nil where the file does not hold
// them.
func decodeFitScores(a *npyz.Archive, read func(string, ...int) ([]float64, error)) ([]float64, error) {
	if !a.Has(fitScoresArray) {
		return nil, nil
	}
	scores, err := read(fitScoresArray, -1)
	if err != nil {
		return nil, err
	}
	if len(scores) == 0 {
		return nil, fmt.Errorf("%s is empty", fitScoresArray)
	}
	for i, v := range scores {
		switch {
		case v != v:
			return nil, fmt.Errorf("%s holds NaN at index %d", fitScoresArray, i)
		case i > 0 && v < scores[i-1]:
			return nil, fmt.Errorf("%s: expected ascending values, got %v at index %d", fitScoresArray, v, i)
		}
	}
	return scores, nil
}

func checkVersion(a *npyz.Archive) error {
	version, err := a.Int64("version")
	if err != nil {
		return err
	}
	if version[0] != Version {
		return fmt.Errorf("expected format version %d, which this program reads, got %d", Version, version[0])
	}
	return nil
}

// checkNetwork returns an error unless the network is the one that the detector was fitted to.
func checkNetwork(a *npyz.Archive, net nets.Classifier) error {
	name, err := a.String("network")
	if err != nil {
		return err
	}
	want, err := a.String("fingerprint")
	if err != nil {
		return err
	}
	if name != net.Name() {
		return fmt.Errorf("%w: expected one that was fitted to network %s, got one of network %s", ErrMismatch,
			net.Name(), name)
	}
	if got := Fingerprint(net); got != want {
		return fmt.Errorf("%w: it was fitted to a %s with other weights: expected fingerprint %.16s…, got %.16s…",
			ErrMismatch, name, want, got)
	}
	return nil
}

func decodeOptions(a *npyz.Archive) (o Options, err error) {
	for _, p := range []struct {
		name string
		to   *float64
	}{{"p_a", &o.ActivationPercentile}, {"p_w", &o.WeightPercentile}, {"clip", &o.Clip}} {
		v, err := a.Float64(p.name)
		if err != nil {
			return o, err
		}
		*p.to = v[0]
	}
	components, err := a.Get("components")
	if err != nil {
		return o, err
	}
	on, ok := components.Data.([]bool)
	if !ok || len(on) != 3 {
		return o, fmt.Errorf("components: expected shape [3] of bool, got %v of %s", components.Shape,
			components.TypeName())
	}
	o.NoClipping, o.NoActivationPruning, o.NoWeightPruning = !on[0], !on[1], !on[2]
	if err := decodeClipPercentile(a, &o); err != nil {
		return o, err
	}
	switch { // zero values in a file do not stand for defaults
	case o.measuresClip() && o.Clip != 0:
		return o, fmt.Errorf("clip beside %s %v: expected 0, got %v", clipPercentileArray, o.ClipPercentile, o.Clip)
	case !o.NoClipping && !o.measuresClip() && o.Clip == 0:
		return o, fmt.Errorf("expected a positive clip, got %v", o.Clip)
	}
	if !o.NoActivationPruning {
		o.ActivationPercentile = Percent(o.ActivationPercentile)
	}
	if !o.NoWeightPruning {
		o.WeightPercentile = Percent(o.WeightPercentile)
	}
	return o, o.Check()
}

func decodeContributions(a *npyz.Archive, classes, features int) (*Contributions, error) {
	c := NewContributions(classes, features)
	var err error
	if c.count, err = a.Ints("counts", classes); err != nil {
		return nil, err
	}
	for k, n := range c.count {
		if n < 1 {
			return nil, fmt.Errorf("counts of class %d: expected at least 1, got %d", k, n)
		}
	}
	if c.hi, err = a.Float64("contribution_sums", classes, features); err != nil {
		return nil, err
	}
	if c.lo, err = a.Float64("contribution_sums_low", classes, features); err != nil {
		return nil, err
	}
	for i := range c.hi {
		if v := c.hi[i] + c.lo[i]; v-v != 0 {
			return nil, fmt.Errorf("contribution_sums holds %v at index %d", v, i)
		}
	}
	return c, nil
}

// finite returns a float32 array with the given shape, and an error if an element is not finite.
func finite(a *npyz.Archive, name string, shape ...int) ([]float32, error) {
	values, err := a.Float32(name, shape...)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if v-v != 0 {
			return nil, fmt.Errorf("%s holds %v at index %d", name, v, i)
		}
	}
	return values, nil
}

func firstDifference(a, b []float32) int {
	for i, v := range a {
		if v != b[i] {
			return i
		}
	}
	return -1
}
