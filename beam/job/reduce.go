package job

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"github.com/line-ood/goline/line"
)

// Sums are LINe's statistics of a part of the images.
type Sums struct {
	Total      int // number of images in the list; 0 for an empty sum
	Statistics *line.Statistics
}

func init() {
	beam.RegisterCoder(reflect.TypeFor[Sums](), encodeSums, decodeSums)
}

func encodeSums(s Sums) ([]byte, error) {
	head := binary.LittleEndian.AppendUint64(nil, uint64(s.Total))
	if s.Statistics == nil {
		return head, nil
	}
	data, err := s.Statistics.MarshalBinary()
	return append(head, data...), err
}

func decodeSums(data []byte) (Sums, error) {
	if len(data) < 8 {
		return Sums{}, fmt.Errorf("expected statistics of 8 bytes or more, got %d", len(data))
	}
	s := Sums{Total: int(binary.LittleEndian.Uint64(data))}
	if data = data[8:]; len(data) == 0 {
		return s, nil
	}
	s.Statistics = &line.Statistics{}
	return s, s.Statistics.UnmarshalBinary(data)
}

// Reduce is the CombineFn that merges LINe's statistics. The result does not depend on the order.
type Reduce struct{}

// CreateAccumulator returns the statistics of no images.
func (Reduce) CreateAccumulator() Sums { return Sums{} }

// AddInput merges the statistics of one piece.
func (r Reduce) AddInput(a, b Sums) (Sums, error) { return r.MergeAccumulators(a, b) }

// MergeAccumulators merges two statistics.
func (Reduce) MergeAccumulators(a, b Sums) (Sums, error) {
	switch {
	case a.Statistics == nil:
		return b, nil
	case b.Statistics == nil:
		return a, nil
	case a.Total != b.Total:
		return a, fmt.Errorf("expected statistics of a list of %d images, got those of one of %d", a.Total, b.Total)
	}
	return a, a.Statistics.Merge(b.Statistics)
}

// ExtractOutput returns the merged statistics.
func (Reduce) ExtractOutput(a Sums) Sums { return a }

// detectorFn makes the detector from the statistics of all images.
type detectorFn struct {
	Options Options
}

// ProcessElement writes the detector, and emits the name of its file.
func (f *detectorFn) ProcessElement(ctx context.Context, s Sums, emit func(string)) error {
	if s.Statistics == nil {
		return fmt.Errorf("data %s: expected statistics of images, got none", f.Options.Data)
	}
	w, err := workerOf(ctx, f.Options)
	if err != nil {
		return err
	}
	det, err := s.Statistics.Detector(ctx, w.net, s.Total, f.Options.graph())
	if err != nil {
		return err
	}
	err = write(ctx, f.Options.Out, func(out io.Writer) error {
		_, err := det.WriteTo(out)
		return err
	})
	if err != nil {
		return err
	}
	emit(f.Options.Out)
	return nil
}
