package line

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/line-ood/goline/internal/npyz"
)

const statisticsFormat = "goline LINe statistics of a part"

// Save writes the statistics to a file that [LoadStatistics] reads. The file of the first shard also holds the
// network.
func (s *Statistics) Save(path string) error {
	arrays, err := s.arrays()
	if err != nil {
		return err
	}
	if s.extent.Index == 0 {
		if text, err := json.Marshal(s.net.Preprocessing()); err == nil { // it is an error where it is not known
			arrays = append(arrays, npyz.Named{Name: preprocessingArray, Array: npyz.Scalar(string(text))})
		}
		network, err := networkArrays(s.net)
		if err != nil {
			return fmt.Errorf("line: write statistics: %w", err)
		}
		arrays = append(arrays, network...)
	}
	return npyz.WriteNpz(path, npyz.Stored, arrays...)
}

// MarshalBinary returns the statistics without the network, for [Statistics.UnmarshalBinary].
func (s *Statistics) MarshalBinary() ([]byte, error) {
	arrays, err := s.arrays()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = npyz.FillNpz(&out, npyz.Stored, func(w *npyz.Writer) error {
		for _, a := range arrays {
			if err := w.Write(a.Name, a.Array); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("line: write statistics: %w", err)
	}
	return out.Bytes(), nil
}

// UnmarshalBinary sets the statistics to those that [Statistics.MarshalBinary] wrote. Errors name the array.
func (s *Statistics) UnmarshalBinary(data []byte) error {
	r, err := npyz.NewReader(bytes.NewReader(data), int64(len(data)), "statistics")
	if err != nil {
		return fmt.Errorf("line: read statistics: %w", err)
	}
	a, err := r.ReadAll()
	if err != nil {
		return fmt.Errorf("line: read statistics: %w", err)
	}
	read, err := decodeStatistics(a, false)
	if err != nil {
		return fmt.Errorf("line: read statistics: %w", err)
	}
	*s = *read
	return nil
}

// arrays returns the arrays of a file, without those of the network.
func (s *Statistics) arrays() ([]npyz.Named, error) {
	extent, err := json.Marshal(s.extent)
	if err != nil {
		return nil, err
	}
	k, f := s.sums.classes, s.sums.features
	counts := make([]int64, k)
	for c, n := range s.sums.count {
		counts[c] = int64(n)
	}
	spans := make([]int64, 0, 2*len(s.spans))
	for _, p := range s.spans {
		spans = append(spans, int64(p.First), int64(p.Images))
	}
	o := s.options.withDefaults()
	d := &Detector{net: s.net, options: o}
	arrays := append([]npyz.Named{
		{Name: "format", Array: npyz.Scalar(statisticsFormat)},
		{Name: "version", Array: npyz.Scalar(int64(Version))},
		{Name: "dim", Array: npyz.Scalar(int64(f))},
		{Name: "extent", Array: npyz.Scalar(string(extent))},
		{Name: "spans", Array: npyz.New(spans, len(s.spans), 2)},
		{Name: "p_a", Array: npyz.Scalar(percentValue(o.ActivationPercentile))},
		{Name: "p_w", Array: npyz.Scalar(percentValue(o.WeightPercentile))},
		{Name: "clip", Array: npyz.Scalar(o.Clip)},
		{Name: "components", Array: npyz.New([]bool{!o.NoClipping, !o.NoActivationPruning, !o.NoWeightPruning})},
		{Name: "counts", Array: npyz.New(counts)},
		{Name: "contribution_sums", Array: npyz.New(s.sums.hi, k, f)},
		{Name: "contribution_sums_low", Array: npyz.New(s.sums.lo, k, f)},
	}, d.clipArrays()...)
	if s.net != nil {
		arrays = append(arrays, npyz.Named{Name: "network", Array: npyz.Scalar(s.net.Name())})
	}
	arrays = append(arrays, s.features.all.arrays("sample")...)
	for class, c := range s.features.byClass {
		arrays = append(arrays, c.arrays(classSample(class))...)
	}
	return append(arrays, hashArrays(fitPicturesArray, s.pictures)...), nil
}

func classSample(class int) string { return fmt.Sprintf("sample_class_%d", class) }

// arrays returns the arrays of a part's sample.
func (s *sample) arrays(name string) []npyz.Named {
	slots, at := make([]int64, len(s.slots)), make([]int64, len(s.slots))
	for i, v := range s.slots {
		slots[i], at[i] = int64(v), int64(s.at[i])
	}
	rows := make([]float32, 0, len(slots)*s.dim)
	for _, b := range s.blocks {
		rows = append(rows, b...)
	}
	return []npyz.Named{
		{Name: name + "_seen", Array: npyz.Scalar(int64(s.seen))},
		{Name: name + "_slots", Array: npyz.New(slots)},
		{Name: name + "_positions", Array: npyz.New(at)},
		{Name: name + "_rows", Array: npyz.New(rows, len(slots), s.dim)},
	}
}

// LoadStatistics reads a file that [Statistics.Save] wrote. Errors name the path and the array.
func LoadStatistics(path string) (*Statistics, error) {
	a, err := npyz.ReadNpz(path)
	if err != nil {
		return nil, fmt.Errorf("load statistics: %w", err)
	}
	s, err := decodeStatistics(a, true)
	if err != nil {
		return nil, fmt.Errorf("load statistics %s: %w", path, err)
	}
	return s, nil
}

// decodeStatistics reads statistics; those of a shard also have an extent and may have a network.
func decodeStatistics(a *npyz.Archive, shard bool) (*Statistics, error) {
	if format, err := a.String("format"); err != nil || format != statisticsFormat {
		return nil, fmt.Errorf("expected a file that goline fit --shard wrote, got format %q", format)
	}
	if err := checkVersion(a); err != nil {
		return nil, err
	}
	s := &Statistics{}
	text, err := a.String("extent")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &s.extent); err != nil {
		return nil, fmt.Errorf("array %q: %w", "extent", err)
	}
	if s.options, err = decodeOptions(a); err != nil {
		return nil, err
	}
	counts, err := a.Ints("counts", -1)
	if err != nil {
		return nil, err
	}
	dim, err := a.Ints("dim")
	if err != nil {
		return nil, err
	}
	s.sums = &Contributions{classes: len(counts), features: dim[0], count: counts}
	if s.sums.hi, err = a.Float64("contribution_sums", len(counts), dim[0]); err != nil {
		return nil, err
	}
	if s.sums.lo, err = a.Float64("contribution_sums_low", len(counts), dim[0]); err != nil {
		return nil, err
	}
	total := 0
	for class, n := range counts {
		if total += n; n < 0 || total < 0 {
			return nil, fmt.Errorf("counts of class %d: expected 0 or more, got %d", class, n)
		}
	}
	listed := 0
	if s.spans, listed, err = decodeSpans(a); err != nil {
		return nil, err
	}
	if s.unread = listed - total; s.unread < 0 {
		return nil, fmt.Errorf("counts: expected a sum of at most the part's %d images, got %d", listed, total)
	}
	if e := s.extent; shard && (total != e.Images || len(s.spans) != 1 ||
		s.spans[0] != Span{e.First, e.Images + e.Unread}) {
		return nil, fmt.Errorf("counts: expected a sum of the part's %d images, got %d", e.Images, total)
	}
	s.features = &keptFeatures{}
	if s.features.all, err = decodeSample(a, "sample", dim[0], sampleRows(dim[0])); err != nil {
		return nil, err
	}
	if s.options.measuresClip() && s.options.ClipPerClass {
		for class := range counts {
			c, err := decodeSample(a, classSample(class), dim[0], max(1, sampleRows(dim[0])/len(counts)))
			if err != nil {
				return nil, err
			}
			s.features.byClass = append(s.features.byClass, c)
		}
	}
	if s.pictures, err = decodeHashes(a, fitPicturesArray); err != nil {
		return nil, err
	}
	if !shard || s.extent.Index != 0 {
		return s, nil
	}
	if s.net, err = loadNetwork(a); err != nil {
		return nil, err
	}
	if s.net.Classes() != len(counts) || s.net.FeatureDim() != dim[0] {
		return nil,
			fmt.Errorf("%w: expected contributions of %d neurons to %d classes, as network %s has, got those of %d "+
				"to %d", ErrMismatch, s.net.FeatureDim(), s.net.Classes(), s.net.Name(), dim[0], len(counts))
	}
	return s, nil
}

// decodeSpans reads which images the statistics were measured on, and returns the number of these images.
func decodeSpans(a *npyz.Archive) (spans []Span, images int, err error) {
	v, err := a.Ints("spans", -1, 2)
	if err != nil {
		return nil, 0, err
	}
	for ; len(v) > 0; v = v[2:] {
		s := Span{v[0], v[1]}
		if s.First < 0 || s.Images < 1 || s.end() < 0 {
			return nil, 0, fmt.Errorf("spans: expected 1 image or more at 0 or later, got %d at %d", s.Images, s.First)
		}
		spans = append(spans, s)
		images += s.Images
	}
	if spans, err = joinSpans(spans, nil); err != nil {
		return nil, 0, fmt.Errorf("spans: %w", err)
	}
	return spans, images, nil
}

// decodeSample reads a part's sample.
func decodeSample(a *npyz.Archive, name string, dim, most int) (*sample, error) {
	s := newSample(dim, most)
	s.rows = map[int]int{}
	slots, err := a.Ints(name+"_slots", -1)
	if err != nil {
		return nil, err
	}
	rows, err := finite(a, name+"_rows", len(slots), dim)
	if err != nil {
		return nil, err
	}
	at, err := a.Ints(name+"_positions", len(slots))
	if err != nil {
		return nil, err
	}
	for i, slot := range slots {
		if _, twice := s.rows[slot]; twice || slot < 0 || slot >= most {
			return nil, fmt.Errorf("%s_slots: expected different numbers below %d, got %d at index %d", name, most,
				slot, i)
		}
		s.put(slot, at[i], rows[i*dim:][:dim])
	}
	seen, err := a.Ints(name + "_seen")
	if err != nil {
		return nil, err
	}
	s.seen = seen[0]
	return s, nil
}
