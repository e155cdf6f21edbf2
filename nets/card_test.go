package nets_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cuda/emu"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
)

// TestCardsRunEveryFamily: logits and the gradient by the input are the processor's, and convolutional networks need
// nothing that cards have no kernel for.
func TestCardsRunEveryFamily(t *testing.T) {
	card := emu.Use(t)
	allowed := map[string]bool{"swin": true} // picks elements by index
	eachVariant(t, func(t *testing.T, net *nets.Network) {
		before := card.Used().Held()
		batch := nettest.Batch(3, net.InputShape(), 0, 2)
		o := graph.Options{Fetch: []string{nets.Features, nets.Logits, "slope"}, Batch: 2}
		want := runAll(t, sloped{net}, o, batch)
		o.Device, o.Profile, o.Workers = graph.CUDA, true, 1
		p, err := graph.Compile(sloped{net}, o)
		require.NoError(t, err)
		got := map[string][]float64{}
		for out, err := range p.Run(context.Background(), nettest.Stream(batch)) {
			require.NoError(t, err)
			for _, name := range o.Fetch {
				for _, v := range out.Float32(name) {
					got[name] = append(got[name], float64(v))
				}
			}
		}
		for name, w := range want {
			scale, worst := 1.0, 0.0
			for _, v := range w {
				scale = max(scale, math.Abs(v))
			}
			for i, v := range w {
				worst = max(worst, math.Abs(v-got[name][i]))
			}
			require.Less(t, worst, 1e-5*scale, name)
		}
		for _, k := range p.Profile() {
			if k.Device == graph.CPU {
				t.Logf("on the processor: %s, %d nodes", k.Name, k.Nodes)
				require.True(t, allowed[net.Name()], "%s has no kernel", k.Name)
			}
		}
		require.NoError(t, p.Close())
		require.Equal(t, before, card.Used().Held())
	})
}

// TestCardMatchesPyTorch compares features and logits of real images with those of the published network, within the
// bounds that hold for the processor.
func TestCardMatchesPyTorch(t *testing.T) {
	if testing.Short() {
		t.Skip("runs 64 images on an emulated card")
	}
	net, err := nets.Open("densenet-bc-100-12", sharedtest.Path(t, "checkpoints", checkpoint10))
	require.NoError(t, err)
	want, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_probe64.npz"))
	require.NoError(t, err)
	batch := cifarBatch(t, sharedtest.Path(t, "data", "cifar10_test_5000.bin"), 64, net.Preprocessing())
	emu.Use(t)
	prog, err := graph.Compile(net, graph.Options{Device: graph.CUDA, Workers: 1})
	require.NoError(t, err)
	defer prog.Close()
	for out, err := range prog.Run(context.Background(), nettest.Stream(batch)) {
		require.NoError(t, err)
		for name, width := range map[string]int{nets.Features: 342, nets.Logits: 10} {
			reference, err := want.Float32(name, 64, width)
			require.NoError(t, err)
			worst := 0.0
			for i, v := range out.Float32(name) {
				worst = max(worst, math.Abs(float64(reference[i]-v)))
			}
			t.Logf("%s: largest difference %.3g", name, worst)
			require.Less(t, worst, map[string]float64{nets.Features: 3e-6, nets.Logits: 2e-5}[name], name)
		}
	}
}
