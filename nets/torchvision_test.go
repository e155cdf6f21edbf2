package nets_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/racetest"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
)

// fillByFormula sets the parameters to those of the reference networks. With u = sin(0.618 i + crc32(name) mod 1000)
// for flat index i, running means are 0.1 u, running variances 1 + 0.5 u², biases 0.05 u, other vectors 1 + 0.1 u, and
// all other parameters √(2/fan in)·√2·u. They are computed in float64 and then rounded. One sine in 256 is computed by
// package math, the others by the formula for the sine of a sum, corrected for the rounding of the argument, in a
// fraction of the time. Where float32 might round such a sum differently, the sine is computed, too: comparisons in
// float64 see single bits of weights.
func fillByFormula(params []*graph.Param) {
	const step, block, tiny = 0.618, 256, 4e-15
	var sin, cos [block]float64
	for k := range block {
		sin[k], cos[k] = math.Sincos(step * float64(k))
	}
	for _, p := range params {
		if strings.HasSuffix(p.Name, "relative_position_index") {
			continue
		}
		phase := float64(crc32.ChecksumIEEE([]byte(p.Name)) % 1000)
		shape := p.Shape()
		fanIn := 1
		for _, d := range shape[1:] {
			fanIn *= d
		}
		deviation := math.Sqrt(2/float64(fanIn)) * math.Sqrt2
		of := func(u float64) float64 { return u * deviation }
		switch {
		case strings.HasSuffix(p.Name, "running_mean"):
			of = func(u float64) float64 { return u * 0.1 }
		case strings.HasSuffix(p.Name, "running_var"):
			of = func(u float64) float64 { return 1 + 0.5*u*u }
		case strings.HasSuffix(p.Name, "bias"):
			of = func(u float64) float64 { return u * 0.05 }
		case len(shape) == 1:
			of = func(u float64) float64 { return 1 + 0.1*u }
		}
		values := p.Float32s()
		for at := 0; at < len(values); at += block {
			first := step*float64(at) + phase
			s, c := math.Sincos(first)
			for k := range values[at:min(at+block, len(values))] {
				x := step*float64(at+k) + phase
				u := s*cos[k] + c*sin[k] + (x-first-step*float64(k))*(c*cos[k]-s*sin[k])
				v := float32(of(u - tiny))
				if v != float32(of(u+tiny)) {
					v = float32(of(math.Sin(x)))
				}
				values[at+k] = v
			}
		}
	}
}

// inputByFormula returns n images of the given shape, already normalised.
func inputByFormula(n int, shape []int) graph.Batch {
	size := n
	for _, d := range shape {
		size *= d
	}
	b := graph.Batch{N: n, X: make([]float32, size)}
	for i := range b.X {
		b.X[i] = float32(1.5 * math.Sin(0.37*float64(i)))
	}
	return b
}

// sized returns the network of the given name for images of size × size, with weights by formula.
func sized(t testing.TB, name string, size int) *nets.Network {
	t.Helper()
	d, err := nets.DefinitionOf(name, 1000)
	require.NoError(t, err)
	if d.Input[1] != size {
		d.Input, d.Preprocessing = []int{3, size, size}, nets.Preprocessing{}
	}
	net, err := nets.Define(d)
	require.NoError(t, err)
	fillByFormula(net.Params())
	return net
}

// relative returns the largest difference, divided by the largest absolute value in want.
func relative(want, got []float64) float64 {
	largest, worst := 0.0, 0.0
	for i, w := range want {
		largest = max(largest, math.Abs(w))
		worst = max(worst, math.Abs(w-got[i]))
	}
	return worst / largest
}

// TestTorchvisionFixtures compares features and logits with those of torchvision at two sizes.
func TestTorchvisionFixtures(t *testing.T) {
	for _, name := range []string{"resnet18", "resnet34", "resnet50", "mobilenet_v2", "densenet121"} {
		t.Run(name, func(t *testing.T) {
			if racetest.On && name != "mobilenet_v2" {
				t.Skip("large networks run without the race detector")
			}
			fixture, err := npyz.ReadNpz(sharedtest.Path(t, "fixtures", "torchvision_"+name+".npz"))
			require.NoError(t, err)
			for batch, size := range map[int]int{2: 64, 1: 224} {
				if testing.Short() && size == 224 {
					continue
				}
				net := sized(t, name, size)
				got := runAll(t, net, graph.Options{Batch: batch}, inputByFormula(batch, net.InputShape()))
				for _, output := range net.Outputs() {
					want, err := fixture.Float64(fmt.Sprintf("x%d_%s", size, output), batch, len(got[output])/batch)
					require.NoError(t, err)
					worst := relative(want, got[output])
					t.Logf("%s of %d×%d: largest difference %.2g of the largest value", output, size, size, worst)
					require.Less(t, worst, 2e-5)
				}
			}
		})
	}
}

// golden holds what testdata/networks.py has written about a network.
type golden struct {
	Params           []string // name and axes, separated by spaces
	Size             int      // of the image in height and width
	Features, Logits sampled
}

// sampled is a vector of which every so many-th element is known, from the first on.
type sampled struct {
	Values  []float64
	Largest float64 // largest absolute value of all elements
	Length  int
}

// compare returns the largest difference of the known elements, divided by the largest value.
func (s sampled) compare(t *testing.T, got []float64) float64 {
	t.Helper()
	require.Len(t, got, s.Length)
	worst, largest := 0.0, 0.0
	for i, want := range s.Values {
		worst = max(worst, math.Abs(want-got[i*(s.Length/16)]))
	}
	for _, v := range got {
		largest = max(largest, math.Abs(v))
	}
	return max(worst, math.Abs(s.Largest-largest)) / s.Largest
}

func readGolden(t *testing.T) map[string]golden {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "networks.json.gz"))
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var all map[string]golden
	require.NoError(t, json.NewDecoder(z).Decode(&all))
	return all
}

// TestNetworksMatchPyTorch compares the names and shapes of all parameters, the features and the logits with those of
// torchvision. All but the largest networks are compared in both precisions.
func TestNetworksMatchPyTorch(t *testing.T) {
	all := readGolden(t)
	for _, name := range nets.Names() {
		want, ok := all[name]
		if !ok {
			require.True(t, strings.Contains(name, "-DEPTH-") || name == "resnet1202", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			d, err := nets.DefinitionOf(name, 1000)
			require.NoError(t, err)
			if d.Input[1] != want.Size {
				d.Input, d.Preprocessing = []int{3, want.Size, want.Size}, nets.Preprocessing{}
			}
			net, err := nets.Define(d)
			require.NoError(t, err)
			var params []string
			values := 0
			for _, p := range net.Params() {
				params = append(params,
					strings.Join(strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(p.String())), " "))
				values += len(p.Float32s())
			}
			require.Equal(t, want.Params, params)
			if testing.Short() && values > 15_000_000 || racetest.On && values > 3_000_000 {
				t.Skip("large networks run without -short and the race detector")
			}
			fillByFormula(net.Params())
			for dtype, limit := range map[tensor.Dtype]float64{G.Float32: 1e-4, G.Float64: 1e-11} {
				if dtype == G.Float64 && (testing.Short() || values > 30_000_000) {
					continue // float64 runs in plain Go and takes long
				}
				got := runAll(t, net, graph.Options{Dtype: dtype, Workers: 1}, inputByFormula(1, net.InputShape()))
				features, logits := want.Features.compare(t, got[nets.Features]),
					want.Logits.compare(t, got[nets.Logits])
				t.Logf("%v: largest differences of features %.2g, of logits %.2g", dtype, features, logits)
				require.Less(t, max(features, logits), limit)
			}
		})
	}
}
