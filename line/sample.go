package line

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

const (
	// mostFitScores is the largest number of scores that a detector keeps, 256 KiB of its file. The true positive
	// rate of a 95 % threshold from that many scores has a standard error of a tenth of a percentage point.
	mostFitScores = 1 << 16
	// mostFitFeatures is the largest number of features held while fitting, 128 MiB.
	mostFitFeatures = 1 << 25
	// fewestFitScores is the number of images whose features are held at least, however many features each has.
	fewestFitScores = 1 << 10
)

// sampleRows returns the number of images whose features are held while fitting.
func sampleRows(dim int) int {
	return min(mostFitScores, max(fewestFitScores, mostFitFeatures/max(1, dim)))
}

// sample keeps rows of a stream: all of them up to most rows, and beyond that a uniform draw from the rows so far
// (Vitter 1985, algorithm R). The draw depends on the order of the rows alone.
type sample struct {
	dim, most, seen int
	blocks          [][]float32 // each of blockRows rows, the last of fewer
	rng             *rand.Rand
	// slots, at and rows are for a sample of parts of a stream, and nil for a whole stream. For each row kept, slots
	// holds the row's place in the sample of the whole stream, and at its position in that stream; rows maps each
	// such place to the row.
	slots, at []int
	rows      map[int]int
}

const blockRows = 256

func newSample(dim, most int) *sample {
	return &sample{dim: dim, most: most, rng: rand.New(rand.NewPCG(1, 1))}
}

// part makes s the sample of a part of a stream that begins after the stream's first before rows.
func (s *sample) part(before int) {
	s.rows = map[int]int{}
	for range before {
		s.next()
	}
}

// next returns the place of the next row in the sample; the row is not kept if that is most or more.
func (s *sample) next() int {
	at := s.seen
	if s.seen++; at >= s.most {
		return s.rng.IntN(s.seen)
	}
	return at
}

// add adds rows [n, dim], which it copies.
func (s *sample) add(rows []float32) {
	for ; len(rows) > 0; rows = rows[s.dim:] {
		position := s.seen
		if slot := s.next(); slot < s.most {
			s.put(slot, position, rows[:s.dim])
		}
	}
}

// skip passes over positions of the stream that have no row, up to position to.
func (s *sample) skip(to int) {
	for s.seen < to {
		s.next()
	}
}

// put keeps the row at the given position of the stream at a place of the sample. Of several rows for one place the
// one with the highest position is kept, in whichever order they come.
func (s *sample) put(at, position int, row []float32) {
	if s.rows != nil {
		i, ok := s.rows[at]
		switch {
		case !ok:
			i = len(s.slots)
			s.rows[at], s.slots, s.at = i, append(s.slots, at), append(s.at, position)
		case position < s.at[i]:
			return
		default:
			s.at[i] = position
		}
		at = i
	}
	if at/blockRows == len(s.blocks) {
		s.blocks = append(s.blocks, make([]float32, 0, min(blockRows, s.most-at)*s.dim))
	}
	block := &s.blocks[at/blockRows]
	if at = at % blockRows * s.dim; at == len(*block) {
		*block = (*block)[:at+s.dim]
	}
	copy((*block)[at:], row)
}

// merge adds the rows of another part of the stream.
func (s *sample) merge(other *sample) {
	i := 0
	for _, block := range other.blocks {
		for ; len(block) > 0; block = block[s.dim:] {
			s.put(other.slots[i], other.at[i], block[:s.dim])
			i++
		}
	}
	s.seen = max(s.seen, other.seen)
}

// kept returns the number of rows.
func (s *sample) kept() (n int) {
	for _, b := range s.blocks {
		n += len(b) / s.dim
	}
	return n
}

// batches streams the kept rows.
func (s *sample) batches() graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		for _, b := range s.blocks {
			if !yield(graph.Batch{X: b, N: len(b) / s.dim}, nil) {
				return
			}
		}
	}
}

// keptFeatures holds the features that [Fit] keeps of its stream.
type keptFeatures struct {
	all     *sample
	byClass []*sample // one for each label; nil unless bounds are measured per class
}

// keepFeatures returns an empty keptFeatures for the features of a network.
func keepFeatures(net nets.Classifier, o Options) *keptFeatures {
	rows := sampleRows(net.FeatureDim())
	k := &keptFeatures{all: newSample(net.FeatureDim(), rows)}
	if o.measuresClip() && o.ClipPerClass {
		for range net.Classes() {
			k.byClass = append(k.byClass, newSample(net.FeatureDim(), max(1, rows/net.Classes())))
		}
	}
	return k
}

// add adds rows [n, dim], which it copies, and their labels.
func (k *keptFeatures) add(rows []float32, labels []int) {
	k.all.add(rows)
	if k.byClass == nil {
		return
	}
	dim := k.all.dim
	for i, label := range labels {
		k.byClass[label].add(rows[i*dim:][:dim])
	}
}

// scoreFeatures returns the scores of features, ascending, with the same bits that scoring the images gives.
func (d *Detector) scoreFeatures(ctx context.Context, features *sample, o graph.Options) ([]float64, error) {
	const batch = 32 // batches may be larger than for images, since there are no feature maps
	prog, err := graph.Compile(headOnly{d}, graph.Options{Batch: batch, Workers: o.Workers, Device: o.Device})
	if err != nil {
		return nil, err
	}
	var scores []float64
	for out, err := range prog.Run(ctx, features.batches()) {
		if err != nil {
			return nil, err
		}
		for _, v := range out.Float32(Score) {
			if v != v {
				return nil, fmt.Errorf("score of a training image is NaN")
			}
			scores = append(scores, float64(v))
		}
	}
	slices.Sort(scores)
	return scores, nil
}

// headOnly is LINe's graph from the features on, without the network before them.
type headOnly struct{ *Detector }

func (h headOnly) InputShape() []int { return []int{h.net.FeatureDim()} }
func (h headOnly) Outputs() []string { return []string{Score} }

func (h headOnly) Params() []*graph.Param {
	weight, bias := h.net.Head()
	return []*graph.Param{weight, bias}
}

func (h headOnly) Build(b *graph.Builder, x *G.Node) error {
	_, err := h.build(b, b.Tap(nets.Features, x), false)
	return err
}
