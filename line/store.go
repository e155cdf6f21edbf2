package line

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// Version is the version of the file format that [Detector.Save] writes.
const Version = 1

const (
	fileFormat  = "goline LINe detector"
	paramPrefix = "param/"
)

// Fingerprint returns the SHA-256 of a network's name and parameters, in hexadecimal: equal fingerprints mean the same network.
func Fingerprint(net Classifier) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", net.Name())
	for _, p := range net.Params() {
		fmt.Fprintf(h, "%s %v\n", p.Name, p.Shape())
		raw := make([]byte, 0, 4*len(p.Float32s()))
		for _, v := range p.Float32s() {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		h.Write(raw)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Save writes the detector with its network to an npz file that numpy reads. The file is complete: [Load] needs nothing else.
// It appears whole or not at all.
func (d *Detector) Save(path string) error {
	k, f := d.net.Classes(), d.net.Features()
	o := d.options
	counts := make([]int64, k)
	for c, n := range d.contributions.count {
		counts[c] = int64(n)
	}
	arrays := []npyz.Named{
		{Name: "format", Array: npyz.Scalar(fileFormat)},
		{Name: "version", Array: npyz.Scalar(int64(Version))},
		{Name: "network", Array: npyz.Scalar(d.net.Name())},
		{Name: "fingerprint", Array: npyz.Scalar(Fingerprint(d.net))},
		{Name: "p_a", Array: npyz.Scalar(o.ActivationPercentile)},
		{Name: "p_w", Array: npyz.Scalar(o.WeightPercentile)},
		{Name: "clip", Array: npyz.Scalar(o.Clip)},
		{Name: "components", Array: npyz.New([]bool{!o.NoClipping, !o.NoActivationPruning, !o.NoWeightPruning})},
		{Name: "counts", Array: npyz.New(counts)},
		{Name: "contribution_sums", Array: npyz.New(d.contributions.hi, k, f)},
		{Name: "contribution_sums_low", Array: npyz.New(d.contributions.lo, k, f)},
		{Name: "contributions", Array: npyz.New(d.mean, k, f)},
	}
	if d.activation != nil {
		arrays = append(arrays, npyz.Named{Name: "activation_thresholds", Array: npyz.New(d.activation)})
	}
	if d.weight != nil {
		arrays = append(arrays, npyz.Named{Name: "weight_thresholds", Array: npyz.New(d.weight)})
	}
	for _, p := range d.net.Params() {
		arrays = append(arrays, npyz.Named{Name: paramPrefix + p.Name, Array: npyz.New(p.Float32s(), p.Shape()...)})
	}
	return npyz.WriteNpz(path, npyz.Stored, arrays...)
}

// Load reads a detector with its network.
func Load(path string) (*Detector, error) {
	a, err := readDetector(path)
	if err != nil {
		return nil, err
	}
	net, err := loadNetwork(a)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return restore(a, net, path)
}

// LoadFor reads a detector for a network that is there already. A network other than the one it was fitted to, by
// architecture or by a single weight, is an error.
func LoadFor(path string, net Classifier) (*Detector, error) {
	a, err := readDetector(path)
	if err != nil {
		return nil, err
	}
	return restore(a, net, path)
}

func readDetector(path string) (*npyz.Archive, error) {
	a, err := npyz.ReadNpz(path)
	if err != nil {
		return nil, err
	}
	format := ""
	if a.Has("format") {
		format, _ = a.String("format")
	}
	if format != fileFormat {
		return nil, fmt.Errorf("%s is not a LINe detector: no entry format = %q", path, fileFormat)
	}
	version, err := a.Int64("version")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(version) != 1 || version[0] != Version {
		return nil, fmt.Errorf("%s has format version %v, this program reads version %d", path, version, Version)
	}
	return a, nil
}

func loadNetwork(a *npyz.Archive) (*nets.Network, error) {
	name, err := a.String("network")
	if err != nil {
		return nil, err
	}
	counts, err := a.Ints("counts")
	if err != nil {
		return nil, err
	}
	net, err := nets.New(name, len(counts))
	if err != nil {
		return nil, err
	}
	for _, p := range net.Params() {
		v, err := a.Float32(paramPrefix+p.Name, p.Shape()...)
		if err != nil {
			return nil, err
		}
		if err := finite32(p.Name, v); err != nil {
			return nil, err
		}
		copy(p.Float32s(), v)
	}
	return net, nil
}

func restore(a *npyz.Archive, net Classifier, path string) (*Detector, error) {
	d, err := decode(a, net)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func decode(a *npyz.Archive, net Classifier) (*Detector, error) {
	name, err := a.String("network")
	if err != nil {
		return nil, err
	}
	want, err := a.String("fingerprint")
	if err != nil {
		return nil, err
	}
	if name != net.Name() {
		return nil, fmt.Errorf("detector was fitted to network %s, not to %s", name, net.Name())
	}
	if got := Fingerprint(net); got != want {
		return nil, fmt.Errorf("detector was fitted to another %s: fingerprint %.16s…, these weights have %.16s…", name, want, got)
	}
	k, f := net.Classes(), net.Features()
	d := &Detector{net: net, contributions: NewContributions(k, f)}
	scalar := func(name string) (v float64) {
		if err == nil {
			var s []float64
			if s, err = a.Float64(name); err == nil && len(s) == 1 {
				return s[0]
			}
			if err == nil {
				err = fmt.Errorf("%s has %d values, expected 1", name, len(s))
			}
		}
		return 0
	}
	d.options.ActivationPercentile, d.options.WeightPercentile, d.options.Clip = scalar("p_a"), scalar("p_w"), scalar("clip")
	if err != nil {
		return nil, err
	}
	components, err := a.Get("components")
	if err != nil {
		return nil, err
	}
	on, ok := components.Data.([]bool)
	if !ok || len(on) != 3 {
		return nil, fmt.Errorf("components has shape %v of %s, expected 3 of bool", components.Shape, components.TypeName())
	}
	d.options.NoClipping, d.options.NoActivationPruning, d.options.NoWeightPruning = !on[0], !on[1], !on[2]
	if err := d.options.Check(); err != nil {
		return nil, err
	}
	if err := d.decodeStatistics(a, k, f); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Detector) decodeStatistics(a *npyz.Archive, k, f int) (err error) {
	if d.contributions.count, err = a.Ints("counts", k); err != nil {
		return err
	}
	for c, n := range d.contributions.count {
		if n < 1 {
			return fmt.Errorf("counts of class %d is %d, expected at least 1", c, n)
		}
	}
	if d.contributions.hi, err = a.Float64("contribution_sums", k, f); err != nil {
		return err
	}
	if d.contributions.lo, err = a.Float64("contribution_sums_low", k, f); err != nil {
		return err
	}
	for i := range d.contributions.hi {
		if v := d.contributions.hi[i] + d.contributions.lo[i]; v-v != 0 {
			return fmt.Errorf("contribution_sums holds %v", v)
		}
	}
	if d.mean, err = a.Float32("contributions", k, f); err != nil {
		return err
	}
	if err := finite32("contributions", d.mean); err != nil {
		return err
	}
	if !d.options.NoActivationPruning {
		if d.activation, err = a.Float32("activation_thresholds", k); err != nil {
			return err
		}
	}
	if !d.options.NoWeightPruning {
		if d.weight, err = a.Float32("weight_thresholds", k); err != nil {
			return err
		}
	}
	if err := finite32("activation_thresholds", d.activation); err != nil {
		return err
	}
	return finite32("weight_thresholds", d.weight)
}

func finite32(name string, v []float32) error {
	for i, x := range v {
		if x-x != 0 {
			return fmt.Errorf("%s holds %v at index %d", name, x, i)
		}
	}
	return nil
}

var _ graph.Model = Pipeline{}
