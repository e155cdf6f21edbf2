package probe

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

var names = []string{
	"map.max", "map.std", "rankfeat.logits", "odin.logits(T=1000,eps=0.0014)", "odin.logits(T=2,eps=0.01)",
	"perturbed.features(o=0.05,eps=0.5)",
}

func run(t *testing.T, net nets.Classifier, o graph.Options, batches ...graph.Batch) map[string]posthoc.Extra {
	t.Helper()
	out, err := Compute(t.Context(), net, names, nettest.Stream(batches...), o)
	require.NoError(t, err)
	return out
}

// values returns the values of a network's node, computed in float64.
func values(t *testing.T, net nets.Classifier, node string, x []float32, n int) []float64 {
	t.Helper()
	p, err := graph.Compile(model{Classifier: net, temperatures: []float64{2, 1000}},
		graph.Options{Fetch: []string{node}, Dtype: tensor.Float64})
	require.NoError(t, err)
	var all []float64
	for out, err := range p.Run(t.Context(), nettest.Stream(graph.Batch{N: n, X: x})) {
		require.NoError(t, err)
		all = append(all, out.Float64(node)...)
	}
	return all
}

func softmaxTop(l []float64, t float64) float64 {
	top, sum := math.Inf(-1), 0.0
	for _, v := range l {
		top = math.Max(top, v)
	}
	for _, v := range l {
		sum += math.Exp((v - top) / t)
	}
	return -t * math.Log(sum)
}

// TestGradients compares the input gradients with central differences of the objectives.
func TestGradients(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	b := nettest.Batch(2, net.InputShape(), 3, 7)
	size := len(b.X) / 2
	objective := map[string]func(l []float64) float64{
		topGradient:                       func(l []float64) float64 { return max(l[0], l[1], l[2]) },
		fmt.Sprintf(odinGradient, 2.0):    func(l []float64) float64 { return softmaxTop(l, 2) },
		fmt.Sprintf(odinGradient, 1000.0): func(l []float64) float64 { return softmaxTop(l, 1000) },
	}
	for node, f := range objective {
		got := values(t, net, node, b.X, 2)
		for _, at := range []int{0, 17, size / 2, size - 1, size + 3, 2*size - 5} {
			const h = 1.0 / 4096 // exact in float32 around these values
			side := func(by float32) float64 {
				x := append([]float32(nil), b.X...)
				x[at] += by
				l := values(t, net, nets.Logits, x, 2)
				return f(l[at/size*3:][:3])
			}
			want := (side(h) - side(-h)) / (2 * h)
			assert.InDelta(t, want, got[at], 1e-4*math.Max(1e-2, math.Abs(want)), "%s at %d", node, at)
		}
	}
}

// TestCompute compares with changed images and statistics of the map that are computed from the network's own nodes.
func TestCompute(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	b := nettest.Batch(3, net.InputShape(), 3, 7)
	got := run(t, net, graph.Options{}, b)
	require.Len(t, got, len(names))

	maps, features := values(t, net, mapNode, b.X, 3), values(t, net, nets.Features, b.X, 3)
	pixels := len(maps) / len(features)
	for i, z := range features {
		m := maps[i*pixels:][:pixels]
		sum, top := 0.0, math.Inf(-1)
		for _, v := range m {
			sum, top = sum+v, math.Max(top, v)
		}
		require.InDelta(t, z, sum/float64(pixels), 1e-12, "the map is what the features average")
		squares := 0.0
		for _, v := range m {
			squares += (v - z) * (v - z)
		}
		require.InDelta(t, top, got["map.max"].Values[i], 1e-5)
		require.InDelta(t, math.Sqrt(squares/float64(pixels-1)), got["map.std"].Values[i], 1e-5)
	}

	gradient := values(t, net, fmt.Sprintf(odinGradient, 2.0), b.X, 3)
	x := make([]float32, len(b.X))
	std := net.Preprocessing().Std
	for i := range x {
		by := 0.01 / float64(std[i%(len(x)/3)/(len(x)/9)])
		x[i] = float32(float64(b.X[i]) + math.Copysign(by, gradient[i]))
	}
	for i, want := range values(t, net, nets.Logits, x, 3) {
		assert.InDelta(t, want, got["odin.logits(T=2,eps=0.01)"].Values[i], 2e-4)
	}
}

// TestSameBits: values have the same bits for any batch size and number of workers.
func TestSameBits(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	b := nettest.Batch(5, net.InputShape(), 3, 7)
	want := run(t, net, graph.Options{Batch: 5, Workers: 1}, b)
	for _, o := range []graph.Options{{Batch: 1, Workers: 1}, {Batch: 2, Workers: 3}} {
		size := len(b.X) / 5
		parts := []graph.Batch{{N: 2, X: b.X[:2*size]}, {N: 3, X: b.X[2*size:]}}
		assert.Equal(t, want, run(t, net, o, parts...))
	}
}

func TestErrors(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, 3, 5)
	for name, want := range map[string]string{
		"nose":                       `probe: "nose" is not known`,
		"odin.logits":                `probe: expected parameters (T, eps), got "odin.logits"`,
		"odin.logits(T=1,eps=x)":     `probe: expected kind(key=number,…), got "odin.logits(T=1,eps=x)"`,
		"odin.logits(T=1,eps=1":      `probe: expected kind(key=number,…), got "odin.logits(T=1,eps=1"`,
		"odin.logits(T=1,epsilon=1)": `probe: expected parameters (T, eps), got "odin.logits(T=1,epsilon=1)"`,
	} {
		_, err := Compute(t.Context(), net, []string{name}, nettest.Stream(), graph.Options{})
		assert.EqualError(t, err, want)
	}
	vit, err := nets.New("vit_b_16", 3)
	require.NoError(t, err)
	_, err = Compute(t.Context(), vit, []string{"map.max"}, nettest.Stream(), graph.Options{})
	assert.ErrorIs(t, err, ErrNoMap)
	out, err := Compute(t.Context(), net, nil, nettest.Stream(), graph.Options{})
	require.NoError(t, err)
	assert.Empty(t, out)
}

// Of a map with one singular pair nothing is left; of a map with two, the second is left.
func TestWithoutFirst(t *testing.T) {
	channels, pixels := 5, 7
	u, v := []float64{1, 2, 3, -1, 0.5}, []float64{1, 0, 2, 1, 1, 3, 0}
	s, w := []float64{2, -1, 0, 0, 0}, []float64{0, 1, 0, 0, 0, 0, 1} // orthogonal to the vectors of the first pair
	m := make([]float32, channels*pixels)
	for d := range channels {
		for p := range pixels {
			m[d*pixels+p] = float32(u[d] * v[p])
		}
	}
	for _, z := range withoutFirst(m, channels, pixels) {
		assert.InDelta(t, 0, z, 1e-12)
	}
	for d := range channels {
		for p := range pixels {
			m[d*pixels+p] += float32(s[d] * w[p])
		}
	}
	for d, z := range withoutFirst(m, channels, pixels) {
		assert.InDelta(t, s[d]*2/7, z, 1e-12)
	}
	for _, z := range withoutFirst(make([]float32, 6), 2, 3) {
		assert.Zero(t, z)
	}
}

func TestBlur(t *testing.T) {
	x := []float32{1, 1, 1, 1, 1}
	blur(x, []float32{0.1, -0.1, 0, 3, -5}, 0.6, 0.5)
	assert.Equal(t, []float32{1.5, 0.5, 1, 1, 1}, x, "three of five, of equal gradients the lower index first")
}

func TestDeviationOfOnePixel(t *testing.T) { assert.Zero(t, deviation([]float32{3})) }
