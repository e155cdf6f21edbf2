package onnx_test

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
)

// sloped is a network that also returns the gradient of the sum of its logits by its input and by one of its layers.
type sloped struct {
	*onnx.Network
	layer string
}

func (s sloped) Build(b *graph.Builder, x *G.Node) error {
	if err := s.Network.Build(b, x); err != nil {
		return err
	}
	logits, err := b.Node(nets.Logits)
	if err != nil {
		return err
	}
	ones := b.Constant("ones of logits", func() []float64 {
		out := make([]float64, b.Batch()*s.Classes())
		for i := range out {
			out[i] = 1
		}
		return out
	}, b.Batch(), s.Classes())
	at, err := b.Node(s.layer)
	if err != nil {
		return err
	}
	b.TapOnDemand("gradient", func() (*G.Node, error) {
		gs, err := graph.Gradients(G.Nodes{logits}, G.Nodes{ones}, G.Nodes{at})
		if err != nil {
			return nil, err
		}
		return gs[0], nil
	})
	return b.Err()
}

// TestGradientsOfLayers: the gradient by a layer of each network agrees with central differences, in float64.
func TestGradientsOfLayers(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Path(t, "onnx", "zoo"), "*.onnx"))
	require.NoError(t, err)
	for _, file := range files {
		net, err := onnx.Open(file, onnx.Options{})
		require.NoError(t, err)
		layer := ""
		for _, l := range net.Layers() { // takes the first layer whose value is a feature map, or tokens
			if l.Tap != "" && layer == "" && len(l.Output) >= 2 {
				layer = l.Tap
			}
		}
		require.NotEmpty(t, layer, file)
		p, err := graph.Compile(sloped{net, layer}, graph.Options{
			From: layer, Fetch: []string{nets.Logits, "gradient"}, Dtype: tensor.Float64, Batch: 1, Workers: 1,
		})
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(1, 2))
		const h = 1.0 / (1 << 14)
		size := product(p.InputShape()...)
		x, towards := make([]float32, size), make([]float64, size)
		for i := range x {
			x[i] = float32(math.Round(rng.NormFloat64()/h) * h)
			towards[i] = float64(2*rng.IntN(2) - 1)
		}
		run := func(step float64) (sum, slope float64) {
			moved := make([]float32, size)
			for i := range x {
				moved[i] = float32(float64(x[i]) + step*towards[i])
			}
			for out, err := range p.Run(context.Background(), nettest.Stream(graph.Batch{N: 1, X: moved})) {
				require.NoError(t, err)
				for _, v := range out.Float64(nets.Logits) {
					sum += v
				}
				for i, g := range out.Float64("gradient") {
					slope += g * towards[i]
				}
			}
			return sum, slope
		}
		_, slope := run(0)
		above, _ := run(h)
		below, _ := run(-h)
		t.Logf("%s at %s %v: gradient %v, differences %v", filepath.Base(file), layer, p.InputShape(), slope,
			(above-below)/2/h)
		require.InDelta(t, (above-below)/2/h, slope, 1e-7+0.02*math.Abs(slope), file)
	}
}
