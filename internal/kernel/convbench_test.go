package kernel

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// best returns the shortest of many short runs of f, in seconds for one call.
func best(f func(), runs int) float64 {
	f()
	t0 := time.Now()
	f()
	n := max(1, int(300*time.Microsecond/max(1, time.Since(t0))))
	m := 1e9
	for range runs {
		t := time.Now()
		for range n {
			f()
		}
		m = min(m, time.Since(t).Seconds()/float64(n))
	}
	return m
}

// benchConvs are the shapes to watch: name, geometry, and whether there is a pre affine and ReLU.
var benchConvs = []struct {
	name string
	g    ConvGeom
	pre  bool
}{
	{"1x1 24-48 32", ConvGeom{C: 24, H: 32, W: 32, O: 48, KH: 1, KW: 1}, true},
	{"1x1 120-48 32", ConvGeom{C: 120, H: 32, W: 32, O: 48, KH: 1, KW: 1}, true},
	{"1x1 204-48 32", ConvGeom{C: 204, H: 32, W: 32, O: 48, KH: 1, KW: 1}, true},
	{"1x1 204-48 16", ConvGeom{C: 204, H: 16, W: 16, O: 48, KH: 1, KW: 1}, true},
	{"1x1 288-48 16", ConvGeom{C: 288, H: 16, W: 16, O: 48, KH: 1, KW: 1}, true},
	{"1x1 330-48 8", ConvGeom{C: 330, H: 8, W: 8, O: 48, KH: 1, KW: 1}, true},
	{"1x1 216-108 32", ConvGeom{C: 216, H: 32, W: 32, O: 108, KH: 1, KW: 1}, true},
	{"1x1 300-150 16", ConvGeom{C: 300, H: 16, W: 16, O: 150, KH: 1, KW: 1}, true},
	{"3x3 48-12 32", ConvGeom{C: 48, H: 32, W: 32, O: 12, KH: 3, KW: 3, PH: 1, PW: 1}, false},
	{"3x3 48-12 16", ConvGeom{C: 48, H: 16, W: 16, O: 12, KH: 3, KW: 3, PH: 1, PW: 1}, false},
	{"3x3 48-12 8", ConvGeom{C: 48, H: 8, W: 8, O: 12, KH: 3, KW: 3, PH: 1, PW: 1}, false},
	{"3x3 3-24 32", ConvGeom{C: 3, H: 32, W: 32, O: 24, KH: 3, KW: 3, PH: 1, PW: 1}, false},
	{"3x3s2 64-128 56", ConvGeom{C: 64, H: 56, W: 56, O: 128, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2}, false},
	{"3x3s2 128-128 56", ConvGeom{C: 128, H: 56, W: 56, O: 128, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2}, false},
	{"7x7s2 3-64 224", ConvGeom{C: 3, H: 224, W: 224, O: 64, KH: 7, KW: 7, PH: 3, PW: 3, SH: 2, SW: 2}, false},
	{"3x3 64-64 56", ConvGeom{C: 64, H: 56, W: 56, O: 64, KH: 3, KW: 3, PH: 1, PW: 1}, false},
	{"3x3 128-128 28", ConvGeom{C: 128, H: 28, W: 28, O: 128, KH: 3, KW: 3, PH: 1, PW: 1}, false},
	{"3x3 256-256 14", ConvGeom{C: 256, H: 14, W: 14, O: 256, KH: 3, KW: 3, PH: 1, PW: 1}, false},
	{"3x3 512-512 7", ConvGeom{C: 512, H: 7, W: 7, O: 512, KH: 3, KW: 3, PH: 1, PW: 1}, false},
	{"1x1 64-256 56", ConvGeom{C: 64, H: 56, W: 56, O: 256, KH: 1, KW: 1}, false},
	{"1x1 1024-256 14", ConvGeom{C: 1024, H: 14, W: 14, O: 256, KH: 1, KW: 1}, false},
	{"1x1 512-2048 7", ConvGeom{C: 512, H: 7, W: 7, O: 2048, KH: 1, KW: 1}, false},
	{"1x1s2 256-512 56", ConvGeom{C: 256, H: 56, W: 56, O: 512, KH: 1, KW: 1, SH: 2, SW: 2}, false},
	{"dw3x3 32 112", ConvGeom{C: 32, H: 112, W: 112, O: 32, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 32}, false},
	{"dw3x3s2 96 112", ConvGeom{C: 96, H: 112, W: 112, O: 96, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2, Groups: 96},
		false},
	{"dw3x3 144 56", ConvGeom{C: 144, H: 56, W: 56, O: 144, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 144}, false},
	{"dw3x3s2 144 56", ConvGeom{C: 144, H: 56, W: 56, O: 144, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2, Groups: 144},
		false},
	{"dw3x3 192 28", ConvGeom{C: 192, H: 28, W: 28, O: 192, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 192}, false},
	{"dw3x3s2 192 28", ConvGeom{C: 192, H: 28, W: 28, O: 192, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2, Groups: 192},
		false},
	{"dw3x3 384 14", ConvGeom{C: 384, H: 14, W: 14, O: 384, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 384}, false},
	{"dw3x3 576 14", ConvGeom{C: 576, H: 14, W: 14, O: 576, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 576}, false},
	{"dw3x3s2 576 14", ConvGeom{C: 576, H: 14, W: 14, O: 576, KH: 3, KW: 3, PH: 1, PW: 1, SH: 2, SW: 2, Groups: 576},
		false},
	{"dw3x3 960 7", ConvGeom{C: 960, H: 7, W: 7, O: 960, KH: 3, KW: 3, PH: 1, PW: 1, Groups: 960}, false},
}

func benchSpec(g ConvGeom, pre bool) ConvSpec[float32] {
	rng := newRand(3)
	s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen()), PostShift: randSlice[float32](rng,
		g.O)}
	if pre {
		s.PreScale, s.PreShift, s.PreReLU, s.Post.Kind = randSlice[float32](rng, g.C), randSlice[float32](rng, g.C),
			true, ActReLU
	}
	return s
}

// TestSpeed logs the share of peak speed for every shape, from minima of short runs; weight gradients are for several
// images. It runs only if the variable SPEED is set. SPEED_OF selects the shapes whose names contain its value.
func TestSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=1")
	}
	fmt.Printf("%-18s", "")
	for _, lev := range Levels()[1:] {
		fmt.Printf("%30s%30s%30s", lev+" forward", lev+" back input", "weight")
	}
	fmt.Println()
	for _, bc := range benchConvs {
		if !strings.Contains(bc.name, os.Getenv("SPEED_OF")) {
			continue
		}
		fmt.Printf("%-18s", bc.name)
		for _, lev := range Levels()[1:] {
			restore, _ := ForceLevel(lev)
			c, err := NewConv(benchSpec(bc.g, bc.pre))
			if err != nil {
				t.Fatal(err)
			}
			rng := newRand(5)
			x, y, scratch := randSlice[float32](rng, bc.g.InLen()), make([]float32, bc.g.OutLen()),
				make([]float32, c.ScratchLen())
			s, peak := 1e9, 0.0
			for range 4 {
				peak = max(peak, PeakFMA(2*time.Millisecond))
				s = min(s, best(func() { c.Forward(y, x, nil, scratch) }, 12))
			}
			dx := make([]float32, len(x))
			r := 1e9
			for range 3 {
				r = min(r, best(func() { c.BackwardInput(dx, y, x, y, nil, nil, scratch) }, 12))
			}
			dw, ws := make([]float32, bc.g.WeightLen()), make([]float32, ConvBackwardWeightScratch(bc.g, weightImages))
			xs, dys := randSlice[float32](rng, weightImages*len(x)), randSlice[float32](rng, weightImages*len(y))
			q := 1e9
			for range 3 {
				q = min(q, best(func() { ConvBackwardWeight(bc.g, dw, nil, xs, dys, weightImages, len(x), len(y), ws) },
					12)/weightImages)
			}
			for _, s := range []float64{s, r, q} {
				gf := float64(bc.g.FLOPs()) / s * 1e-9
				fmt.Printf("%12.1f us %6.1f  %4.1f%%", s*1e6, gf, 100*gf/peak)
			}
			restore()
		}
		fmt.Println()
	}
}
