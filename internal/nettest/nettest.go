// Package nettest makes small networks with random weights, and random inputs for them, for tests only.
package nettest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets"
)

// DenseNetBC returns a densenet-bc of the given depth and growth with random weights.
func DenseNetBC(t testing.TB, depth, growth, classes int, seed uint64) *nets.Network {
	t.Helper()
	n, err := nets.DenseNetBC(nets.DenseNetBCConfig{Depth: depth, Growth: growth, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	Fill(n.Params(), seed)
	return n
}

// Fill sets parameters to random values such as a trained network could have. The values of a parameter depend only on
// the seed and on its name.
func Fill(params []*graph.Param, seed uint64) {
	for _, p := range params {
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		rng := rand.New(rand.NewPCG(seed, h.Sum64()))
		mean, deviation := 0.0, 0.1
		switch shape := p.Shape(); {
		case len(shape) > 1:
			fanIn := 1
			for _, d := range shape[1:] {
				fanIn *= d
			}
			deviation = math.Sqrt(2 / float64(fanIn))
		case strings.HasSuffix(p.Name, "weight"):
			mean = 1
		}
		for i := range p.Float32s() {
			v := mean + deviation*rng.NormFloat64()
			if strings.HasSuffix(p.Name, "running_var") {
				v = 0.5 + rng.Float64()
			}
			p.Float32s()[i] = float32(v)
		}
	}
}

// Batch returns n samples of standard normal values. Sample i has the label i modulo classes; there are no labels if
// classes is 0.
func Batch(n int, shape []int, classes int, seed uint64) graph.Batch {
	rng := rand.New(rand.NewPCG(seed, 1))
	size := n
	for _, d := range shape {
		size *= d
	}
	b := graph.Batch{N: n, X: make([]float32, size)}
	for i := range b.X {
		b.X[i] = float32(rng.NormFloat64())
	}
	for i := range n {
		if classes > 0 {
			b.Labels = append(b.Labels, i%classes)
		}
	}
	return b
}

// Stream returns the batches as a stream.
func Stream(batches ...graph.Batch) graph.Batches {
	return func(yield func(graph.Batch, error) bool) {
		for _, b := range batches {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// Split divides a batch into a stream of batches of the given sizes; the last size repeats.
func Split(b graph.Batch, sizes ...int) graph.Batches {
	var parts []graph.Batch
	width := len(b.X) / b.N
	for lo := 0; lo < b.N; {
		hi := min(lo+sizes[min(len(parts), len(sizes)-1)], b.N)
		p := graph.Batch{N: hi - lo, X: b.X[lo*width : hi*width]}
		if b.Labels != nil {
			p.Labels = b.Labels[lo:hi]
		}
		parts = append(parts, p)
		lo = hi
	}
	return Stream(parts...)
}
