package line

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// Version is the version of the file format that [Detector.Save] writes. Additional arrays that a reader can ignore
// or do without do not change it.
const Version = 1

const (
	fileFormat     = "goline LINe detector"
	paramPrefix    = "param/"
	fitScoresArray = "fit_scores"
	// preprocessingArray holds JSON, as nets.Preprocessing writes it.
	preprocessingArray = "preprocessing"
)

// Fingerprint returns the SHA-256 of a network's name and parameters, in hexadecimal. Equal fingerprints mean equal
// networks.
func Fingerprint(net nets.Classifier) string {
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

// Save writes the detector to a file that [Load] reads; see [Detector.WriteTo] for its content. The file appears
// complete or not at all.
func (d *Detector) Save(path string) error {
	arrays, err := d.arrays()
	if err != nil {
		return err
	}
	return npyz.WriteNpz(path, npyz.Stored, arrays...)
}

// WriteTo writes the detector with its network as an npz archive, which numpy can read. [Read] needs nothing else.
// The same detector gives the same bytes. It returns the number of bytes written.
func (d *Detector) WriteTo(w io.Writer) (int64, error) {
	arrays, err := d.arrays()
	if err != nil {
		return 0, err
	}
	counted := &countingWriter{w: w}
	z := npyz.NewWriter(counted, npyz.Stored)
	for _, a := range arrays {
		if err := z.Write(a.Name, a.Array); err != nil {
			return counted.n, fmt.Errorf("line: write detector: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return counted.n, fmt.Errorf("line: write detector: %w", err)
	}
	return counted.n, nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// arrays returns the arrays of the detector's file, in order. It returns an error for a detector whose file could not
// be read again.
func (d *Detector) arrays() ([]npyz.Named, error) {
	arrays, err := d.allArrays()
	if err != nil {
		return nil, err
	}
	if _, err := decode(npyz.NewArchive("detector", arrays...), given(d.net)); err != nil {
		return nil, fmt.Errorf("line: write detector: what it holds could not be read again: %w", err)
	}
	return arrays, nil
}

func (d *Detector) allArrays() ([]npyz.Named, error) {
	if d.other != nil {
		return d.arraysOfOther()
	}
	k, f := d.net.Classes(), d.net.FeatureDim()
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
		{Name: "p_a", Array: npyz.Scalar(percentValue(o.ActivationPercentile))},
		{Name: "p_w", Array: npyz.Scalar(percentValue(o.WeightPercentile))},
		{Name: "clip", Array: npyz.Scalar(o.Clip)},
		{Name: "components", Array: npyz.New([]bool{!o.NoClipping, !o.NoActivationPruning, !o.NoWeightPruning})},
		{Name: "counts", Array: npyz.New(counts)},
		{Name: "contribution_sums", Array: npyz.New(d.contributions.hi, k, f)},
		{Name: "contribution_sums_low", Array: npyz.New(d.contributions.lo, k, f)},
		{Name: "contributions", Array: npyz.New(d.mean, k, f)},
	}
	arrays = append(arrays, d.clipArrays()...)
	if text, err := json.Marshal(d.preprocessing); err == nil { // it is an error where it is not known
		arrays = append(arrays, npyz.Named{Name: preprocessingArray, Array: npyz.Scalar(string(text))})
	}
	if d.activation != nil {
		arrays = append(arrays, npyz.Named{Name: "activation_thresholds", Array: npyz.New(d.activation)})
	}
	if d.weight != nil {
		arrays = append(arrays, npyz.Named{Name: "weight_thresholds", Array: npyz.New(d.weight)})
	}
	if len(d.fitScores) > 0 {
		narrow := make([]float32, len(d.fitScores)) // without loss: LINe's graph computes scores in float32
		for i, v := range d.fitScores {
			narrow[i] = float32(v)
		}
		arrays = append(arrays, npyz.Named{Name: fitScoresArray, Array: npyz.New(narrow)})
	}
	arrays = append(arrays, d.calibrationArrays()...)
	network, err := networkArrays(d.net)
	if err != nil {
		return nil, fmt.Errorf("line: write detector: %w", err)
	}
	return append(arrays, network...), nil
}
