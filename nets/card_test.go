package nets_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cuda/emu"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/nets"
)

// TestCardsRunEveryFamily: the card computes the logits and the input gradient of the processor, and every operation of
// the networks has a kernel for cards.
func TestCardsRunEveryFamily(t *testing.T) {
	card := emu.Use(t)
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
				t.Errorf("%s has no kernel: %d nodes ran on the processor", k.Name, k.Nodes)
			}
		}
		require.NoError(t, p.Close())
		require.Equal(t, before, card.Used().Held())
	})
}
