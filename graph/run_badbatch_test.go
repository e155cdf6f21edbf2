package graph_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
)

// TestBadBatches sends a bad batch after a good one, whose result must be yielded first.
func TestBadBatches(t *testing.T) {
	m := smallNet(6)
	p := compile(t, m, graph.Options{Fetch: []string{"logits", "scaled"}})
	good := samples(6, 3)
	change := func(f func(b *graph.Batch)) graph.Batch {
		b := good
		f(&b)
		return b
	}
	for name, c := range map[string]struct {
		batch graph.Batch
		want  string
	}{
		"empty":    {graph.Batch{}, "batch 1: expected at least 1 sample, got 0"},
		"negative": {change(func(b *graph.Batch) { b.N = -3 }), "batch 1: expected at least 1 sample, got -3"},
		"too few values": {change(func(b *graph.Batch) { b.X = b.X[1:] }),
			"batch 1: expected 108 values of shape [3 6 6] for each of 3 samples, got 323"},
		"too many values": {change(func(b *graph.Batch) { b.X = append(slices.Clone(b.X), 1) }),
			"for each of 3 samples, got 325"},
		"no values": {change(func(b *graph.Batch) { b.X = nil }), "for each of 3 samples, got 0"},
		"overflow": {change(func(b *graph.Batch) { b.N, b.X = math.MaxInt, nil }),
			fmt.Sprintf("for each of %d samples, got 0", math.MaxInt)},
		"labels": {change(func(b *graph.Batch) { b.Labels = []int{1} }),
			"batch 1: expected a label for each of 3 samples, got 1"},
		"no input": {change(func(b *graph.Batch) { b.Inputs = nil }),
			`batch 1: input "scale": expected 11 values of shape [11] for each of 3 samples, got 0`},
		"input's size": {change(func(b *graph.Batch) { b.Inputs = map[string][]float32{"scale": make([]float32, 34)} }),
			`input "scale": expected 11 values of shape [11] for each of 3 samples, got 34`},
	} {
		n := 0
		released := 0
		c.batch.Release = func() { released++ }
		for _, err := range p.Run(context.Background(), stream(good, c.batch, good)) {
			if n == 0 {
				require.NoError(t, err, name)
			} else {
				require.ErrorContains(t, err, c.want, name)
			}
			n++
		}
		require.Equal(t, 2, n, name)
		require.Equal(t, 1, released, name)
	}
}

// TestInputsThatNothingNeeds: a batch may leave out an input that no fetched node depends on.
func TestInputsThatNothingNeeds(t *testing.T) {
	m := &model{shape: []int{1}, outputs: []string{"x"}}
	m.build = func(b *graph.Builder, x *G.Node) error {
		b.Tap("sum", b.Add(b.Tap("x", x), b.Input("offset", 1)))
		return b.Err()
	}
	batch := graph.Batch{X: []float32{1, 2}, N: 2}
	require.Equal(t, []float64{1, 2}, fetched(t, compile(t, m, graph.Options{}), stream(batch))["x"])
	for _, err := range compile(t, m, graph.Options{Fetch: []string{"x", "sum"}}).Run(context.Background(),
		stream(batch)) {
		require.ErrorContains(t, err, `input "offset": expected 1 values of shape [1] for each of 2 samples, got 0`)
	}
}

// TestErrorsNameTheSamples: the error about a label without a class names the sample.
func TestErrorsNameTheSamples(t *testing.T) {
	p := compile(t, smallNet(6), graph.Options{Fetch: []string{"label logit"}, Batch: 4, Workers: 1})
	bad := samples(6, 5)
	bad.Labels = []int{0, 1, 2, 9, 3}
	for _, err := range p.Run(context.Background(), stream(bad)) {
		require.EqualError(t, err,
			"batch 0: samples 0 to 3: Gather: sample 3 of the batch: expected a class from 0 to 3, got 9")
	}
	require.NotEmpty(t, fetched(t, p, stream(pick(bad, 0, 1, 2)))["label logit"])
}

func TestPanicsNameTheOperation(t *testing.T) {
	p := compile(t, wired(func(float64) error { return fmt.Errorf("%d", []int{1}[len(graph.CPU)]) }), graph.Options{})
	for _, err := range p.Run(context.Background(), stream(graph.Batch{X: []float32{1}, N: 1})) {
		require.ErrorContains(t, err,
			"batch 0: samples 0 to 0: Tripwire: panic: runtime error: index out of range [3] with length 1")
		require.True(t, strings.Contains(err.Error(), "export_test.go"), "with a stack")
	}
}
