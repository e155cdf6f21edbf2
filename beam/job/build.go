package job

import (
	"context"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
)

func init() {
	register.DoFn3x1[context.Context, []byte, func(Piece), error](&matchFn{})
	register.DoFn4x1[context.Context, Piece, func(Sums), func(string), error](&fitFn{})
	register.DoFn4x1[context.Context, Piece, func(string), func(string), error](&fileFn{})
	register.DoFn3x1[context.Context, Sums, func(string), error](&detectorFn{})
	register.Combiner1[Sums](&Reduce{})
	register.Function1x1(branchOf)
	register.Emitter1[Piece]()
	register.Emitter1[Sums]()
	register.Emitter1[string]()
	beam.RegisterType(reflect.TypeFor[Piece]())
}

// branchOf returns the branch that works on a piece.
func branchOf(p Piece) int { return p.Branch }

// Results are the outputs of a job, as collections of the pipeline.
type Results struct {
	Files   beam.PCollection // names of the files that were written: string
	Letters beam.PCollection // names of the files of dead letters: string
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
	return r
}

func flatten(s beam.Scope, c []beam.PCollection) beam.PCollection {
	if len(c) == 1 {
		return c[0]
	}
	return beam.Flatten(s, c...)
}
