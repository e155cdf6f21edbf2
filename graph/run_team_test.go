package graph

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
)

// TestLoop checks that a program of several threads runs without Gorgonia's tape machine, with its bits, and passes on
// the error of an operation.
func TestLoop(t *testing.T) {
	m := newResiduals()
	x := make([]float32, 8*19*13)
	for i := range x {
		x[i] = float32(i%17) - 8
	}
	run := func(threads int) []float32 {
		prog, err := Compile(m, Options{Batch: 1, Workers: 1, Threads: threads})
		require.NoError(t, err)
		_, loops := prog.replicas[0].vm.(*loop)
		require.Equal(t, threads > 1, loops)
		for out, err := range prog.Run(context.Background(), func(yield func(Batch, error) bool) {
			yield(Batch{X: x, N: 1}, nil)
		}) {
			require.NoError(t, err)
			return append([]float32(nil), out.Float32("out")...)
		}
		return nil
	}
	want := run(1)
	require.Equal(t, want, run(2))
	require.Equal(t, want, run(5))

	prog, err := Compile(m, Options{Batch: 1, Workers: 1, Threads: 2})
	require.NoError(t, err)
	r := prog.replicas[0]
	r.vm.(*loop).steps[0].op.fn = failing{}
	for _, err := range prog.Run(context.Background(), func(yield func(Batch, error) bool) {
		yield(Batch{X: x, N: 1}, nil)
	}) {
		require.ErrorIs(t, err, errNoGradient)
	}

	_, err = Compile(m, Options{Threads: -1})
	require.ErrorContains(t, err, "expected at least 0 threads, got -1")
}

// failing is a function that fails.
type failing struct{ leaf }

func (failing) forward(G.Value, []G.Value) error { return errNoGradient }

// many is a network of a hundred small operations.
type many struct{}

func (many) InputShape() []int { return []int{8} }
func (many) Params() []*Param  { return nil }
func (many) Outputs() []string { return []string{"out"} }
func (many) Build(b *Builder, x *G.Node) error {
	for range 100 {
		x = b.Activate(x, ActSwish(1))
	}
	b.Tap("out", x)
	return b.Err()
}

// BenchmarkMachine times a hundred operations that take next to no time themselves: what each machine adds to them.
func BenchmarkMachine(b *testing.B) {
	for threads, name := range []string{1: "tape machine", 2: "loop"} {
		if name == "" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			prog, err := Compile(many{}, Options{Batch: 1, Workers: 1, Threads: threads})
			require.NoError(b, err)
			r := prog.replicas[0]
			out := prog.newInFlight()
			out.take(Batch{X: make([]float32, 8), N: 1}, 0)
			for _, f := range r.fetches {
				f.sink.aim(out.out.fields[f.name], 0, 1)
			}
			for b.Loop() {
				require.NoError(b, r.runAll())
			}
		})
	}
}
