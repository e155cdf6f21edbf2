package kernel

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawSeveral draws a convolution whose engine computes several images together, where there is such an engine: maps of
// few pixels with many output channels.
func drawSeveral(t *rapid.T) ConvGeom {
	k := rapid.SampledFrom([]int{1, 1, 3, 5}).Draw(t, "kernel")
	g := ConvGeom{
		C: rapid.SampledFrom([]int{1, 3, 40, 65, 400}).Draw(t, "C"), O: rapid.IntRange(64, 90).Draw(t, "O"),
		H: rapid.IntRange(k, 14).Draw(t, "H"), W: rapid.IntRange(k, 14).Draw(t, "W"), KH: k, KW: k,
		SH: rapid.IntRange(1, 3).Draw(t, "SH"), SW: rapid.IntRange(1, 3).Draw(t, "SW"),
		PH: rapid.IntRange(0, k/2).Draw(t, "PH"), PW: rapid.IntRange(0, k/2).Draw(t, "PW"),
	}
	if g.C == 400 && k > 1 { // 44 channels have more terms than a block already, and are faster
		g.C = 44
	}
	return g
}

func propSeveral(t *rapid.T) { checkSeveral(t, drawSeveral(t)) }

// checkSeveral compares the bits of images computed together with those of each image alone, on memory between guard
// pages.
func checkSeveral(t *rapid.T, g ConvGeom) {
	rng := newRand(rapid.Uint64().Draw(t, "seed"))
	s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen()), PostShift: randSlice[float32](rng,
		g.O), Post: drawPost(t)}
	if rapid.Bool().Draw(t, "pre") {
		s.PreScale, s.PreShift, s.PreReLU = randSlice[float32](rng, g.C), randSlice[float32](rng, g.C),
			rapid.Bool().Draw(t, "pre relu")
	}
	n := rapid.IntRange(1, 10).Draw(t, "n")
	xs, ys, rs := g.InLen()+rapid.IntRange(0, 9).Draw(t, "src gap"), g.OutLen()+rapid.IntRange(0, 9).Draw(t, "dst gap"),
		g.OutLen()+3
	x := randSlice[float32](rng, (n-1)*xs+g.InLen())
	if rapid.Bool().Draw(t, "NaN") {
		x[rng.IntN(len(x))] = nans[float32](1)[0]
	}
	var residual []float32
	if rapid.Bool().Draw(t, "residual") {
		residual = randSlice[float32](rng, (n-1)*rs+g.OutLen())
	}
	for _, name := range Levels()[1:] {
		restore, err := ForceLevel(name)
		require.NoError(t, err)
		func() {
			defer restore()
			var mem arena
			defer mem.free()
			c, err := NewConv(s)
			require.NoError(t, err)
			y := guarded(&mem, nans[float32]((n-1)*ys+g.OutLen()))
			var r []float32
			if residual != nil {
				r = guarded(&mem, residual)
			}
			c.ForwardBatch(y, guarded(&mem, x), r, n, ys, xs, rs, guarded(&mem, nans[float32](c.ScratchLen())))
			one := make([]float32, g.OutLen())
			for i := range n {
				var add []float32
				if residual != nil {
					add = residual[i*rs:]
				}
				c.Forward(one, x[i*xs:], add, nans[float32](c.ScratchLen()))
				requireBits(t, one, y[i*ys:][:len(one)], "%s image %d of %d, %+v", name, i, n, g)
				if i < n-1 {
					requireBits(t, nans[float32](ys-len(one)), y[i*ys+len(one):][:ys-len(one)], "between images")
				}
			}
		}()
	}
}

func TestSeveral(t *testing.T) { rapid.Check(t, propSeveral) }

// TestSeveralWinograd runs checkSeveral on 3x3 convolutions whose weights are too large for the caches of processors
// with up to 2 MB per core.
func TestSeveralWinograd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SampledFrom([]ConvGeom{
			{C: 130, O: 131, H: 7, W: 7}, {C: 129, O: 140, H: 9, W: 8}, // F(2x2, 3x3)
			{C: 96, O: 80, H: 14, W: 14}, {C: 81, O: 97, H: 15, W: 17}, {C: 96, O: 80, H: 28, W: 28}, // F(4x4, 3x3)
		}).Draw(t, "geometry")
		g.KH, g.KW, g.PH, g.PW = 3, 3, 1, 1
		checkSeveral(t, g)
	})
}

// TestSeveralSpeed logs the time per image of convolutions of ResNet-50 and MobileNetV2, for a few images computed
// together and for each alone, in turn. Times are minima of short runs after other work that has filled the caches. It
// runs only if the variable SPEED is set.
func TestSeveralSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=1")
	}
	rng := newRand(3)
	other := randSlice[float32](rng, 4<<20)
	for _, n := range []netConv{
		netSpatial(1, 256, 256, 3, 14, 1, false), netSpatial(1, 512, 512, 3, 7, 1, false),
		netSpatial(1, 512, 512, 3, 14, 2, false),
		netPointwise(1, 512, 2048, 7, 1), netPointwise(1, 2048, 512, 7, 1), netPointwise(1, 1024, 2048, 14, 2),
		netPointwise(1, 320, 1280, 7, 1),
	} {
		c, err := NewConv(benchSpec(n.g, false))
		require.NoError(t, err)
		in, out := n.g.norm().InLen(), n.g.norm().OutLen()
		x, y, scratch := randSlice[float32](rng, netImages*in), Memory[float32](netImages*out),
			Memory[float32](c.ScratchLen())
		run := func(together int) time.Duration {
			Scale(other, other, 1)
			start := time.Now()
			for i := 0; i < netImages; i += together {
				c.ForwardBatch(y[i*out:], x[i*in:], nil, together, out, in, 0, scratch)
			}
			return time.Since(start) / netImages
		}
		alone, together := time.Hour, time.Hour
		for range 30 {
			alone, together = min(alone, run(1)), min(together, run(netImages))
		}
		fmt.Printf("%-24s alone %v, together %v, %.2f times as fast\n", n, alone, together,
			float64(alone)/float64(together))
	}
}
