package nets_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets"
)

// eachVariant runs a test for a small network of each family, with random weights.
func eachVariant(t *testing.T, test func(t *testing.T, net *nets.Network)) {
	for _, d := range nets.SmallVariants() {
		t.Run(d.Name, func(t *testing.T) {
			net, err := nets.Define(d)
			require.NoError(t, err)
			nettest.Fill(net.Params(), 3)
			test(t, net)
		})
	}
}

// checkInputGradient compares the gradient with respect to some pixels with central differences through the network.
func checkInputGradient(t *testing.T, net *nets.Network, pixels int) {
	const h = 1.0 / (1 << 20) // exact in float32 on the grid below, and so small that few kinks of ReLU are crossed
	b := nettest.Batch(1, net.InputShape(), 0, 2)
	for i, v := range b.X {
		b.X[i] = float32(int(v*8)) / 8
	}
	o := graph.Options{Dtype: G.Float64, Fetch: []string{"slope"}}
	got := runAll(t, sloped{net}, o, b)["slope"]
	require.Len(t, got, len(b.X))
	o.Fetch = []string{nets.Logits}
	rng := rand.New(rand.NewPCG(1, 1))
	var at []int
	shifted := graph.Batch{}
	for range pixels {
		i := rng.IntN(len(b.X))
		at = append(at, i)
		for _, step := range []float32{h, -h} {
			shifted.N++
			shifted.X = append(shifted.X, b.X...)
			shifted.X[len(shifted.X)-len(b.X)+i] += step
		}
	}
	logits := runAll(t, net, o, shifted)[nets.Logits]
	k := net.Classes()
	sum := func(sample int) (s float64) {
		for class, l := range logits[sample*k:][:k] {
			s += float64(class+1) * l
		}
		return s
	}
	nonzero := 0
	for n, i := range at {
		want := (sum(2*n) - sum(2*n+1)) / (2 * h)
		require.InDelta(t, want, got[i], 1e-6*math.Max(0.01, math.Abs(want)), "input %d", i)
		if want != 0 {
			nonzero++
		}
	}
	require.Greater(t, nonzero, pixels/3)
}

func TestFamiliesHaveGradients(t *testing.T) {
	eachVariant(t, func(t *testing.T, net *nets.Network) { checkInputGradient(t, net, 30) })
}

// TestFamiliesInBothPrecisions: both precisions agree, and the bits do not depend on the batch.
func TestFamiliesInBothPrecisions(t *testing.T) {
	eachVariant(t, func(t *testing.T, net *nets.Network) {
		b := nettest.Batch(5, net.InputShape(), 0, 1)
		double, single := runAll(t, net, graph.Options{Dtype: G.Float64}, b), runAll(t, net, graph.Options{}, b)
		alone := runAll(t, net, graph.Options{Batch: 1}, b)
		for _, name := range net.Outputs() {
			require.Less(t, relative(double[name], single[name]), 1e-5, name)
			require.Equal(t, single[name], alone[name], name)
		}
	})
}

// TestFamiliesTrain: a step of training gives each trained parameter a gradient, and steps along the gradients lower
// the loss.
func TestFamiliesTrain(t *testing.T) {
	eachVariant(t, func(t *testing.T, net *nets.Network) {
		const n = 6
		p, err := graph.CompileTraining(net, graph.TrainingOptions{Batch: n, Workers: 1})
		require.NoError(t, err)
		b := nettest.Batch(n, net.InputShape(), net.Classes(), 1)
		targets := make([]float32, n*net.Classes())
		for i, label := range b.Labels {
			targets[i*net.Classes()+label] = 1
		}
		var losses []float64
		for range 12 {
			r, err := p.Run(context.Background(), graph.TrainingBatch{X: b.X, Targets: targets, Seeds: make([]int, n)})
			require.NoError(t, err)
			losses = append(losses, r.Loss)
			norm := 0.0
			for i, g := range p.Gradients() {
				require.True(t, slices.ContainsFunc(g, func(v float32) bool { return v != 0 }), p.Params()[i].Name)
				for _, v := range g {
					norm += float64(v) * float64(v)
				}
			}
			for i, g := range p.Gradients() {
				for j, v := range g {
					p.Params()[i].Float32s()[j] -= 0.1 * v / float32(math.Sqrt(norm))
				}
			}
		}
		require.Less(t, losses[len(losses)-1], losses[0], "%v", losses)
	})
}

// TestSwinIndex: the index that the state dict holds beside the weights follows from the window size, and it is neither
// trained nor initialised.
func TestSwinIndex(t *testing.T) {
	net, err := nets.New("swin_t", 2)
	require.NoError(t, err)
	found := 0
	for _, p := range net.Params() {
		if strings.HasSuffix(p.Name, "relative_position_index") {
			found++
			require.True(t, p.Buffer)
			require.Equal(t, []float32{84, 83, 82}, p.Float32s()[:3])
			require.Equal(t, float32(0), p.Float32s()[48])
			require.Equal(t, float32(84), p.Float32s()[2400])
		}
	}
	require.Equal(t, 12, found)
}
