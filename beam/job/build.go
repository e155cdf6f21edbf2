package job

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"reflect"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
)

func init() {
	register.DoFn3x1[context.Context, []byte, func(Piece), error](&matchFn{})
	register.DoFn4x1[context.Context, Piece, func(Sums), func(Letter), error](&fitFn{})
	register.DoFn4x1[context.Context, Piece, func(string), func(Letter), error](&fileFn{})
	register.DoFn3x1[context.Context, Sums, func(string), error](&detectorFn{})
	register.DoFn3x1[context.Context, []byte, func(*Letter) bool, error](&lettersFn{})
	register.Combiner1[Sums](&Reduce{})
	register.Function1x1(branchOf)
	register.Emitter1[Piece]()
	register.Emitter1[Sums]()
	register.Emitter1[Letter]()
	register.Emitter1[string]()
	register.Iter1[Letter]()
	beam.RegisterType(reflect.TypeFor[Piece]())
	beam.RegisterType(reflect.TypeFor[Letter]())
}

// branchOf returns the branch that works on a piece.
func branchOf(p Piece) int { return p.Branch }

// Results are the outputs of a job, as collections of the pipeline.
type Results struct {
	Files   beam.PCollection // names of the files that were written: string
	Letters beam.PCollection // images that could not be read: Letter
}

// Build adds a job to a pipeline. The results are for further steps of the caller; the job writes its files without
// any.
func Build(s beam.Scope, o Options) Results {
	s = s.Scope("goline." + o.Job)
	pieces := beam.Reshuffle(s, beam.ParDo(s.Scope("match"), &matchFn{o}, beam.Impulse(s)))
	branches := []beam.PCollection{pieces}
	if o.Bundles > 1 {
		branches = beam.Partition(s.Scope("deal"), o.Bundles, branchOf, pieces)
	}
	done, letters := make([]beam.PCollection, len(branches)), make([]beam.PCollection, len(branches))
	for i, b := range branches {
		s := s.Scope("run")
		if o.Bundles > 1 {
			b = beam.Reshuffle(s, b) // otherwise a runner may fuse the branches into one bundle
		}
		if o.Job == Fit {
			done[i], letters[i] = beam.ParDo2(s, &fitFn{work{Options: o}}, b)
		} else {
			done[i], letters[i] = beam.ParDo2(s, &fileFn{work{Options: o}}, b)
		}
	}
	r := Results{Files: flatten(s, done), Letters: flatten(s, letters)}
	if o.Job == Fit {
		sums := beam.Combine(s.Scope("reduce"), &Reduce{}, r.Files)
		r.Files = beam.ParDo(s.Scope("detector"), &detectorFn{o}, sums)
	}
	if o.DeadLetters != "" {
		beam.ParDo0(s.Scope("dead letters"), &lettersFn{o.DeadLetters}, beam.Impulse(s),
			beam.SideInput{Input: r.Letters})
	}
	return r
}

func flatten(s beam.Scope, c []beam.PCollection) beam.PCollection {
	if len(c) == 1 {
		return c[0]
	}
	return beam.Flatten(s, c...)
}

// lettersFn writes the images that could not be read to one file.
type lettersFn struct {
	File string
}

// ProcessElement writes the letters in the order of the list.
func (f *lettersFn) ProcessElement(ctx context.Context, _ []byte, next func(*Letter) bool) error {
	var all []Letter
	for l := (Letter{}); next(&l); {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Letter) int { return cmp.Compare(a.Position, b.Position) })
	return write(ctx, f.File, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for _, l := range all {
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	})
}
