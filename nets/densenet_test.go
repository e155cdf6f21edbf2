package nets_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets"
)

func TestDenseNetBCConfigs(t *testing.T) {
	for _, c := range []struct {
		cfg      nets.DenseNetBCConfig
		name     string
		features int
		params   int
	}{
		{nets.DenseNetBCConfig{Depth: 100, Growth: 12, Classes: 10}, "densenet-bc-100-12", 342, 497},
		{nets.DenseNetBCConfig{Depth: 100, Growth: 12, Classes: 100}, "densenet-bc-100-12", 342, 497},
		{nets.DenseNetBCConfig{Depth: 40, Growth: 24, Classes: 7, Reduction: 0.5}, "densenet-bc-40-24", 264, 197},
		{nets.DenseNetBCConfig{Depth: 10, Growth: 1, Classes: 1}, "densenet-bc-10-1", 2, 47},
		{nets.DenseNetBCConfig{Depth: 16, Growth: 4, Classes: 2, Reduction: 1}, "densenet-bc-16-4-r1", 32, 77},
		// floor(0.7 · 12) = 8, floor(0.7 · 12) = 8, 8 + 4 features
		{nets.DenseNetBCConfig{Depth: 10, Growth: 4, Classes: 2, Reduction: 0.7}, "densenet-bc-10-4-r0.7", 12, 47},
	} {
		n, err := nets.DenseNetBC(c.cfg)
		require.NoError(t, err)
		require.Equal(t, c.name, n.Name())
		require.Equal(t, c.features, n.FeatureDim(), c.name)
		require.Equal(t, c.cfg.Classes, n.Classes())
		require.Equal(t, []int{3, 32, 32}, n.InputShape())
		require.Equal(t, nets.CIFAR(), n.Preprocessing())
		require.Len(t, n.Params(), c.params, c.name)
		w, b := n.Head()
		require.Equal(t, []int{c.cfg.Classes, c.features}, w.Shape())
		require.Equal(t, []int{c.cfg.Classes}, b.Shape())

		same, err := nets.New(c.name, c.cfg.Classes)
		require.NoError(t, err)
		require.Equal(t, shapes(n), shapes(same), "the name says all that the shapes depend on")
	}
}

func shapes(n *nets.Network) (out []string) {
	for _, p := range n.Params() {
		out = append(out, p.String())
	}
	return out
}

func TestDenseNetBCRefuses(t *testing.T) {
	for _, c := range []struct {
		cfg  nets.DenseNetBCConfig
		want string
	}{
		{nets.DenseNetBCConfig{Depth: 99, Growth: 12, Classes: 10}, "expected a depth of 6n+4 with n ≥ 1, got 99"},
		{nets.DenseNetBCConfig{Depth: 4, Growth: 12, Classes: 10}, "expected a depth of 6n+4 with n ≥ 1, got 4"},
		{nets.DenseNetBCConfig{Depth: -2, Growth: 12, Classes: 10}, "expected a depth of 6n+4 with n ≥ 1, got -2"},
		{nets.DenseNetBCConfig{Depth: 100, Classes: 10}, "expected a growth of at least 1, got 0"},
		{nets.DenseNetBCConfig{Depth: 100, Growth: -1, Classes: 10}, "expected a growth of at least 1, got -1"},
		{nets.DenseNetBCConfig{Depth: 100, Growth: 12}, "expected at least 1 class, got 0"},
		{nets.DenseNetBCConfig{Depth: 100, Growth: 12, Classes: 10, Reduction: 1.5},
			"expected a reduction in (0, 1], got 1.5"},
		{nets.DenseNetBCConfig{Depth: 100, Growth: 12, Classes: 10, Reduction: -0.5},
			"expected a reduction in (0, 1], got -0.5"},
		{nets.DenseNetBCConfig{Depth: 100, Growth: 12, Classes: 10, Reduction: math.NaN()},
			"expected a reduction in (0, 1], got NaN"},
		{nets.DenseNetBCConfig{Depth: 10, Growth: 1, Classes: 10, Reduction: 0.1},
			"convolution trans1.conv1: expected ConvConfig.Out and Kernel of at least 1, got 0 and [1 1]"},
		{nets.DenseNetBCConfig{Depth: 10, Growth: math.MaxInt, Classes: 10}, "of at least 1, got -2"},
		{nets.DenseNetBCConfig{Depth: 10, Growth: 4, Classes: math.MaxInt}, "empty or too large"},
		{nets.DenseNetBCConfig{Depth: 6*(math.MaxInt>>13) + 4, Growth: 12, Classes: 10}, "has too many elements"},
		{nets.DenseNetBCConfig{Depth: 10, Growth: 4000, Classes: 10}, "more than 1073741824 parameter values"},
	} {
		_, err := nets.DenseNetBC(c.cfg)
		require.ErrorContains(t, err, "densenet-bc")
		require.ErrorContains(t, err, c.want)
	}
}

// image is a stack of feature maps in the plainest form: [channel][row][column].
type image [][][]float64

func newImage(channels, size int) image {
	im := make(image, channels)
	for c := range im {
		im[c] = make([][]float64, size)
		for y := range im[c] {
			im[c][y] = make([]float64, size)
		}
	}
	return im
}

// naive runs a DenseNet-BC layer by layer, as section 3 of the paper describes it.
type naive struct{ params map[string]*graph.Param }

func newNaive(n *nets.Network) naive {
	m := naive{map[string]*graph.Param{}}
	for _, p := range n.Params() {
		m.params[p.Name] = p
	}
	return m
}

func (m naive) value(name string, i int) float64 { return float64(m.params[name].Float32s()[i]) }

func (m naive) conv(x image, name string) image {
	shape := m.params[name+".weight"].Shape()
	k, pad, size := shape[2], shape[2]/2, len(x[0])
	out := newImage(shape[0], size)
	for o := range out {
		for y := range size {
			for q := range size {
				for c := range x {
					for dy := range k {
						for dx := range k {
							if yy, xx := y+dy-pad, q+dx-pad; yy >= 0 && yy < size && xx >= 0 && xx < size {
								out[o][y][q] += m.value(name+".weight", ((o*len(x)+c)*k+dy)*k+dx) * x[c][yy][xx]
							}
						}
					}
				}
			}
		}
	}
	return out
}

// bnReLU is batch norm with running statistics, followed by ReLU.
func (m naive) bnReLU(x image, name string) image {
	out := newImage(len(x), len(x[0]))
	for c := range x {
		for y := range x[c] {
			for q, v := range x[c][y] {
				v = (v - m.value(name+".running_mean", c)) / math.Sqrt(m.value(name+".running_var", c)+1e-5)
				out[c][y][q] = max(0, v*m.value(name+".weight", c)+m.value(name+".bias", c))
			}
		}
	}
	return out
}

// pool is average pooling over windows of k×k.
func pool(x image, k int) image {
	out := newImage(len(x), len(x[0])/k)
	for c := range out {
		for y := range out[c] {
			for q := range out[c][y] {
				for i := range k * k {
					out[c][y][q] += x[c][y*k+i/k][q*k+i%k] / float64(k*k)
				}
			}
		}
	}
	return out
}

func (m naive) run(x image, layers int) (features, logits []float64) {
	x = m.conv(x, "conv1")
	for block := 1; block <= 3; block++ {
		for i := range layers {
			name := fmt.Sprintf("block%d.layer.%d", block, i)
			y := m.conv(m.bnReLU(x, name+".bn1"), name+".conv1")
			x = append(x[:len(x):len(x)], m.conv(m.bnReLU(y, name+".bn2"), name+".conv2")...)
		}
		if name := fmt.Sprintf("trans%d", block); block < 3 {
			x = pool(m.conv(m.bnReLU(x, name+".bn1"), name+".conv1"), 2)
		}
	}
	x = pool(m.bnReLU(x, "bn1"), 8)
	for c := range x {
		features = append(features, x[c][0][0])
	}
	for k := range m.params["fc.bias"].Float32s() {
		l := m.value("fc.bias", k)
		for i, z := range features {
			l += m.value("fc.weight", k*len(features)+i) * z
		}
		logits = append(logits, l)
	}
	return features, logits
}

func TestDenseNetFollowsThePaper(t *testing.T) {
	for _, cfg := range []nets.DenseNetBCConfig{
		{Depth: 10, Growth: 3, Classes: 4}, {Depth: 16, Growth: 2, Classes: 3, Reduction: 0.7},
	} {
		net, err := nets.DenseNetBC(cfg)
		require.NoError(t, err)
		nettest.Fill(net.Params(), 1)
		b := nettest.Batch(2, net.InputShape(), 0, 2)
		var features, logits []float64
		for i := range b.N {
			x := newImage(3, 32)
			for j, v := range b.X[i*3072:][:3072] {
				x[j/1024][j%1024/32][j%32] = float64(v)
			}
			z, l := newNaive(net).run(x, (cfg.Depth-4)/6)
			features, logits = append(features, z...), append(logits, l...)
		}
		double, single := runAll(t, net, graph.Options{Dtype: G.Float64}, b), runAll(t, net, graph.Options{}, b)
		for name, want := range map[string][]float64{nets.Features: features, nets.Logits: logits} {
			// In float64 nothing is rounded to float32. The program in float32 also rounds the scales and shifts of
			// batch norm.
			require.InDeltaSlice(t, want, double[name], 1e-12, name)
			require.InDeltaSlice(t, want, single[name], 1e-5, name)
		}
	}
}

// runAll compiles a model, runs one batch and returns what it fetches in float64.
func runAll(t testing.TB, m graph.Model, o graph.Options, b graph.Batch) map[string][]float64 {
	t.Helper()
	prog, err := graph.Compile(m, o)
	require.NoError(t, err)
	out := map[string][]float64{}
	for r, err := range prog.Run(context.Background(), nettest.Stream(b)) {
		require.NoError(t, err)
		for _, name := range prog.Options().Fetch {
			if prog.Options().Dtype == G.Float64 {
				out[name] = append(out[name], r.Float64(name)...)
				continue
			}
			for _, v := range r.Float32(name) {
				out[name] = append(out[name], float64(v))
			}
		}
	}
	return out
}

// sloped is a network that also returns the gradient, with respect to the input, of the sum of its logits, each times
// its class plus one.
type sloped struct{ *nets.Network }

func (s sloped) Build(b *graph.Builder, x *G.Node) error {
	if err := s.Network.Build(b, x); err != nil {
		return err
	}
	l, err := b.Node(nets.Logits)
	if err != nil {
		return err
	}
	b.TapOnDemand("slope", func() (*G.Node, error) {
		seed := b.Constant("seed", func() (out []float64) {
			for range b.Batch() {
				for k := range s.Classes() {
					out = append(out, float64(k+1))
				}
			}
			return out
		}, b.Batch(), s.Classes())
		gs, err := graph.Gradients(G.Nodes{l}, G.Nodes{seed}, G.Nodes{x})
		if err != nil {
			return nil, err
		}
		return gs[0], nil
	})
	return nil
}

// TestDenseNetInputGradient compares with central differences through the whole network.
func TestDenseNetInputGradient(t *testing.T) {
	checkInputGradient(t, nettest.DenseNetBC(t, 10, 3, 3, 4), 60)
}
