package line

import (
	"fmt"
	"strings"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// Load reads a detector with its network. Errors name the path and, where there is one, the array.
func Load(path string) (*Detector, error) {
	return load(path, loadNetwork)
}

// LoadFor reads a detector for a network that is there already. A network other than the one it was fitted to, by
// architecture or by a single weight, is an error that wraps [ErrMismatch].
func LoadFor(path string, net nets.Classifier) (*Detector, error) {
	return load(path, func(*npyz.Archive) (nets.Classifier, error) { return net, nil })
}

func load(path string, network func(*npyz.Archive) (nets.Classifier, error)) (*Detector, error) {
	a, err := npyz.ReadNpz(path)
	if err != nil {
		return nil, fmt.Errorf("load detector: %w", err) // which names the path
	}
	d, err := decode(a, network)
	if err != nil {
		return nil, fmt.Errorf("load detector %s: %w", path, err)
	}
	return d, nil
}

func decode(a *npyz.Archive, network func(*npyz.Archive) (nets.Classifier, error)) (*Detector, error) {
	if err := checkFormat(a); err != nil {
		return nil, err
	}
	net, err := network(a)
	if err != nil {
		return nil, err
	}
	if err := checkNetwork(a, net); err != nil {
		return nil, err
	}
	d := &Detector{net: net}
	if d.options, err = decodeOptions(a); err != nil {
		return nil, err
	}
	if d.contributions, err = decodeContributions(a, net.Classes(), net.Dim()); err != nil {
		return nil, err
	}
	if d.mean, err = d.contributions.Mean(); err != nil {
		return nil, err
	}
	stored, err := finite(a, "contributions", net.Classes(), net.Dim())
	if err != nil {
		return nil, err
	}
	if i := firstDifference(stored, d.mean); i >= 0 {
		return nil, fmt.Errorf("contributions holds %v at index %d, but the sums and counts give %v", stored[i], i, d.mean[i])
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
	return d, nil
}

func checkFormat(a *npyz.Archive) error {
	format := ""
	if a.Has("format") {
		format, _ = a.String("format")
	}
	if format != fileFormat {
		return fmt.Errorf("it is not a LINe detector: no array format = %q", fileFormat)
	}
	version, err := a.Int64("version")
	if err != nil {
		return err
	}
	if version[0] != Version {
		return fmt.Errorf("format version %d, this program reads version %d", version[0], Version)
	}
	return nil
}

// loadNetwork makes the network that the file names, with its parameters.
func loadNetwork(a *npyz.Archive) (nets.Classifier, error) {
	name, err := a.String("network")
	if err != nil {
		return nil, err
	}
	counts, err := a.Ints("counts", -1)
	if err != nil {
		return nil, err
	}
	held := 0
	for name, array := range a.All() {
		if strings.HasPrefix(name, paramPrefix) {
			held += array.Len()
		}
	}
	switch size, err := nets.Size(name, len(counts)); { // before memory is taken on the word of a file
	case err != nil:
		return nil, err
	case size != held:
		return nil, fmt.Errorf("%s of %d classes has %d parameter values, but the file holds %d", name, len(counts), size, held)
	}
	net, err := nets.New(name, len(counts))
	if err != nil {
		return nil, err
	}
	for _, p := range net.Params() {
		v, err := finite(a, paramPrefix+p.Name, p.Shape()...)
		if err != nil {
			return nil, err
		}
		copy(p.Float32s(), v)
	}
	return net, nil
}

// checkNetwork fails unless the detector was fitted to this very network.
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
		return fmt.Errorf("%w: it was fitted to network %s, not to %s", ErrMismatch, name, net.Name())
	}
	if got := Fingerprint(net); got != want {
		return fmt.Errorf("%w: it was fitted to a %s with other weights: expected fingerprint %.16s…, got %.16s…", ErrMismatch, name, want, got)
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
		return o, fmt.Errorf("components has shape %v of %s, expected [3] of bool", components.Shape, components.TypeName())
	}
	o.NoClipping, o.NoActivationPruning, o.NoWeightPruning = !on[0], !on[1], !on[2]
	if !o.NoClipping && o.Clip == 0 { // a file says what it means: no defaults
		return o, fmt.Errorf("clip %v is not a positive number", o.Clip)
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
			return nil, fmt.Errorf("counts of class %d is %d, expected at least 1", k, n)
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

// finite returns a float32 array of the given shape, all of whose elements must be numbers.
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
