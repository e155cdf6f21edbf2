package graph_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
)

// perBatch returns how many bytes and objects a program that has run before allocates for a batch.
func perBatch(t testing.TB, side int, fetch []string) (bytes, objects float64) {
	p := compile(t, smallNet(side), graph.Options{Batch: 4, Workers: 1, Fetch: fetch})
	batch := samples(side, 8)
	const warm, measured = 20, 200
	var before, after runtime.MemStats
	i := 0
	for _, err := range p.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
		for range warm + measured {
			if !yield(batch, nil) {
				return
			}
		}
	}) {
		require.NoError(t, err)
		if i++; i == warm {
			runtime.ReadMemStats(&before)
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / measured, float64(after.Mallocs-before.Mallocs) / measured
}

// TestAllocationsDoNotGrowWithTensors compares images of 36 and of 1296 pixels. Only Gorgonia's bookkeeping for each
// operation may be allocated, and that does not depend on the size.
func TestAllocationsDoNotGrowWithTensors(t *testing.T) {
	for name, fetch := range map[string][]string{"forward": {"features", "logits"}, "everything": everything} {
		small, smallObjects := perBatch(t, 6, fetch)
		large, largeObjects := perBatch(t, 36, fetch)
		t.Logf("%s: %.0f bytes in %.0f objects a batch at 6x6, %.0f in %.0f at 36x36", name, small, smallObjects, large,
			largeObjects)
		require.Less(t, large, small+10e3, name) // one feature map of the large images is 250 kB
		require.Less(t, largeObjects, smallObjects+50, name)
		require.Less(t, large, 30e3, name)
	}
}

// TestOperationsAllocateNothing runs each operation of a program that has run before by itself.
func TestOperationsAllocateNothing(t *testing.T) {
	for name, fetch := range map[string][]string{"forward": {"features", "logits"}, "everything": everything} {
		p := compile(t, smallNet(6), graph.Options{Batch: 4, Workers: 1, Fetch: fetch})
		for _, err := range p.Run(context.Background(), stream(samples(6, 8))) {
			require.NoError(t, err)
		}
		found := p.Allocations()
		require.Greater(t, len(found), 3)
		for op, objects := range found {
			require.Zero(t, objects, "%s: %s", name, op)
		}
	}
}

// TestMemoryIsFlat: the heap does not grow over ten thousand batches.
func TestMemoryIsFlat(t *testing.T) {
	p := compile(t, wired(quiet), graph.Options{Batch: 2, Workers: 2})
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	batch := graph.Batch{X: []float32{1, 2, 3}, N: 3}
	i, early := 0, 0.0
	for _, err := range p.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
		for range 10_000 {
			if !yield(batch, nil) {
				return
			}
		}
	}) {
		require.NoError(t, err)
		if i++; i == 1000 {
			early = heap()
		}
	}
	require.Equal(t, 10_000, i)
	require.Less(t, heap()-early, 100e3)
}

func BenchmarkProgram(b *testing.B) {
	for _, c := range []struct {
		name  string
		fetch []string
	}{{"forward", []string{"features", "logits"}}, {"everything", everything}} {
		b.Run(c.name, func(b *testing.B) {
			p := compile(b, smallNet(32), graph.Options{Fetch: c.fetch})
			batch := samples(32, 16)
			b.ReportAllocs()
			for _, err := range p.Run(context.Background(), func(yield func(graph.Batch, error) bool) {
				for b.Loop() && yield(batch, nil) {
				}
			}) {
				require.NoError(b, err)
			}
		})
	}
}
