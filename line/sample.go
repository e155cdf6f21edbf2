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
	// mostFitScores bounds the scores that a detector keeps: 256 KiB of its file. A 95 % threshold from so many is off
	// by a tenth of a percentage point of the true positive rate (one standard error).
	mostFitScores = 1 << 16
	// mostFitFeatures bounds the numbers held while fitting: 128 MiB.
	mostFitFeatures = 1 << 25
	// fewestFitScores are kept however long a row of features is.
	fewestFitScores = 1 << 10
)

// sampleRows returns how many images' features are held while fitting.
func sampleRows(dim int) int {
	return min(mostFitScores, max(fewestFitScores, mostFitFeatures/max(1, dim)))
}

// sample keeps rows of a stream: all of them up to most, and from then on a uniform draw from those so far (Vitter
// 1985, algorithm R), which depends on the order of the rows alone.
type sample struct {
	dim, most, seen int
	blocks          [][]float32 // of blockRows rows each but for the last
	rng             *rand.Rand
	// slots, at and rows serve a sample of parts of a stream: slots holds, for each row kept, its place in the sample
	// of the whole stream, at its position in that stream, and rows the row for each such place. All are nil for a
	// whole stream.
	slots, at []int
	rows      map[int]int
}

const blockRows = 256

func newSample(dim, most int) *sample {
	return &sample{dim: dim, most: most, rng: rand.New(rand.NewPCG(1, 1))}
}

// part makes the sample one of a part of a stream, before which the stream has so many rows.
func (s *sample) part(before int) {
	s.rows = map[int]int{}
	for range before {
		s.next()
	}
}

// next returns the place of the next row, most or more for none.
func (s *sample) next() int {
	at := s.seen
	if s.seen++; at >= s.most {
		return s.rng.IntN(s.seen)
	}
	return at
}

// add takes rows [n, dim], which it copies.
func (s *sample) add(rows []float32) {
	for ; len(rows) > 0; rows = rows[s.dim:] {
		position := s.seen
		if slot := s.next(); slot < s.most {
			s.put(slot, position, rows[:s.dim])
		}
	}
}

// skip passes over positions of the stream that have no row, up to the given one.
func (s *sample) skip(to int) {
	for s.seen < to {
		s.next()
	}
}

// put keeps a row of the given position at its place in the sample. Of the rows for one place the last of the stream
// stays, in whichever order they come.
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

// merge takes the rows of other parts of the stream.
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

// batches streams what is kept.
func (s *sample) batches() graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		for _, b := range s.blocks {
			if !yield(graph.Batch{X: b, N: len(b) / s.dim}, nil) {
				return
			}
		}
	}
}

// keptFeatures are the features that [Fit] keeps of its stream.
type keptFeatures struct {
	all     *sample
	byClass []*sample // of each label by itself; nil unless bounds are measured per class
}

// keepFeatures prepares for the features of a network.
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

// add takes rows [n, dim], which it copies, and their labels.
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

// scoreFeatures returns the scores of features, ascending. They are the bits that scoring the images gives.
func (d *Detector) scoreFeatures(ctx context.Context, features *sample, o graph.Options) ([]float64, error) {
	const batch = 32 // there are no feature maps to keep small
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

// headOnly is LINe from the features on, without a network to build in front of it.
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
