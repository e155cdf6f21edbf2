package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// netConv is a convolution of a network, with the number of times that it occurs there.
type netConv struct {
	times int
	g     ConvGeom
}

// netPointwise, netSpatial and netDepthwise return convolutions of hw×hw inputs. same pads as TensorFlow's SAME does.
func netPointwise(times, c, o, hw, stride int) netConv {
	return netConv{times, ConvGeom{C: c, O: o, H: hw, W: hw, KH: 1, KW: 1, SH: stride, SW: stride}}
}

func netSpatial(times, c, o, k, hw, stride int, same bool) netConv {
	g := ConvGeom{C: c, O: o, H: hw, W: hw, KH: k, KW: k, SH: stride, SW: stride, PH: k / 2, PW: k / 2}
	if same && stride == 2 { // for even sizes
		g.PH, g.PW, g.EH, g.EW = k/2-1, k/2-1, 1, 1
	}
	return netConv{times, g}
}

func netDepthwise(times, c, k, hw, stride int, same bool) netConv {
	n := netSpatial(times, c, c, k, hw, stride, same)
	n.g.Groups = c
	return n
}

// netConvs lists the convolutions of networks for 224×224 pixels: ResNet-50 (with its strides in the 3×3 layers),
// MobileNetV2 and EfficientNet-Lite0.
var netConvs = []struct {
	name  string
	post  Activation
	convs []netConv
}{
	{"ResNet-50", Activation{Kind: ActReLU}, []netConv{
		netSpatial(1, 3, 64, 7, 224, 2, false),
		netPointwise(1, 64, 64, 56, 1), netSpatial(3, 64, 64, 3, 56, 1, false), netPointwise(4, 64, 256, 56, 1),
		netPointwise(2, 256, 64, 56, 1),
		netPointwise(1, 256, 128, 56, 1), netSpatial(1, 128, 128, 3, 56, 2, false), netPointwise(1, 256, 512, 56, 2),
		netPointwise(4, 128, 512, 28, 1), netPointwise(3, 512, 128, 28, 1), netSpatial(3, 128, 128, 3, 28, 1, false),
		netPointwise(1, 512, 256, 28, 1), netSpatial(1, 256, 256, 3, 28, 2, false), netPointwise(1, 512, 1024, 28, 2),
		netPointwise(6, 256, 1024, 14, 1), netPointwise(5, 1024, 256, 14, 1), netSpatial(5, 256, 256, 3, 14, 1, false),
		netPointwise(1, 1024, 512, 14, 1), netSpatial(1, 512, 512, 3, 14, 2, false), netPointwise(1, 1024, 2048, 14, 2),
		netPointwise(3, 512, 2048, 7, 1), netPointwise(2, 2048, 512, 7, 1), netSpatial(2, 512, 512, 3, 7, 1, false),
	}},
	{"MobileNetV2", Activation{Kind: ActReLU6}, []netConv{
		netSpatial(1, 3, 32, 3, 224, 2, false), netDepthwise(1, 32, 3, 112, 1, false), netPointwise(1, 32, 16, 112, 1),
		netPointwise(1, 16, 96, 112, 1), netDepthwise(1, 96, 3, 112, 2, false), netPointwise(1, 96, 24, 56, 1),
		netPointwise(2, 24, 144, 56, 1), netDepthwise(1, 144, 3, 56, 1, false), netPointwise(1, 144, 24, 56, 1),
		netDepthwise(1, 144, 3, 56, 2, false), netPointwise(1, 144, 32, 28, 1),
		netPointwise(3, 32, 192, 28, 1), netDepthwise(2, 192, 3, 28, 1, false), netPointwise(2, 192, 32, 28, 1),
		netDepthwise(1, 192, 3, 28, 2, false), netPointwise(1, 192, 64, 14, 1),
		netPointwise(4, 64, 384, 14, 1), netDepthwise(4, 384, 3, 14, 1, false), netPointwise(3, 384, 64, 14, 1),
		netPointwise(1, 384, 96, 14, 1),
		netPointwise(3, 96, 576, 14, 1), netDepthwise(2, 576, 3, 14, 1, false), netPointwise(2, 576, 96, 14, 1),
		netDepthwise(1, 576, 3, 14, 2, false), netPointwise(1, 576, 160, 7, 1),
		netPointwise(3, 160, 960, 7, 1), netDepthwise(3, 960, 3, 7, 1, false), netPointwise(2, 960, 160, 7, 1),
		netPointwise(1, 960, 320, 7, 1),
		netPointwise(1, 320, 1280, 7, 1),
	}},
	{"EfficientNet-Lite0", Activation{Kind: ActReLU6}, []netConv{
		netSpatial(1, 3, 32, 3, 224, 2, true), netDepthwise(1, 32, 3, 112, 1, true), netPointwise(1, 32, 16, 112, 1),
		netPointwise(1, 16, 96, 112, 1), netDepthwise(1, 96, 3, 112, 2, true), netPointwise(1, 96, 24, 56, 1),
		netPointwise(2, 24, 144, 56, 1), netDepthwise(1, 144, 3, 56, 1, true), netPointwise(1, 144, 24, 56, 1),
		netDepthwise(1, 144, 5, 56, 2, true), netPointwise(1, 144, 40, 28, 1),
		netPointwise(2, 40, 240, 28, 1), netDepthwise(1, 240, 5, 28, 1, true), netPointwise(1, 240, 40, 28, 1),
		netDepthwise(1, 240, 3, 28, 2, true), netPointwise(1, 240, 80, 14, 1),
		netPointwise(3, 80, 480, 14, 1), netDepthwise(2, 480, 3, 14, 1, true), netPointwise(2, 480, 80, 14, 1),
		netDepthwise(1, 480, 5, 14, 1, true), netPointwise(1, 480, 112, 14, 1),
		netPointwise(3, 112, 672, 14, 1), netDepthwise(2, 672, 5, 14, 1, true), netPointwise(2, 672, 112, 14, 1),
		netDepthwise(1, 672, 5, 14, 2, true), netPointwise(1, 672, 192, 7, 1),
		netPointwise(4, 192, 1152, 7, 1), netDepthwise(3, 1152, 5, 7, 1, true), netPointwise(3, 1152, 192, 7, 1),
		netDepthwise(1, 1152, 3, 7, 1, true), netPointwise(1, 1152, 320, 7, 1), netPointwise(1, 320, 1280, 7, 1),
	}},
}

const netImages = 6 // as many images as a replica runs at once

func (n netConv) String() string {
	g := n.g
	kind := ""
	if g.Groups > 1 {
		kind = "dw"
	}
	return fmt.Sprintf("%s%dx%d/%d %d-%d @%d", kind, g.KH, g.KW, g.SH, g.C, g.O, g.H)
}

// TestNetworkSpeed logs for every convolution of these networks: the time per image alone and among a few at once, the
// number of its occurrences, GFLOP/s, the share of the peak speed measured at the same time, and its share of the
// network's time. Times are minima of short runs with warm caches. It runs only if the variable SPEED is set; SPEED_OF
// selects the networks whose names contain its value.
func TestNetworkSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=1")
	}
	for _, net := range netConvs {
		if !strings.Contains(net.name, os.Getenv("SPEED_OF")) {
			continue
		}
		type row struct {
			n             netConv
			seconds, peak float64
		}
		var rows []row
		total, ideal := 0.0, 0.0
		for _, n := range net.convs {
			spec := benchSpec(n.g, false)
			spec.Post = net.post
			c, err := NewConv(spec)
			if err != nil {
				t.Fatal(err)
			}
			rng := newRand(5)
			in, out := n.g.InLen(), n.g.OutLen()
			x, y, scratch := randSlice[float32](rng, netImages*in), make([]float32, netImages*out),
				make([]float32, c.ScratchLen())
			r := row{n: n, seconds: 1e9}
			for range 4 {
				r.peak = max(r.peak, PeakFMA(2*time.Millisecond))
				r.seconds = min(r.seconds, best(func() { c.ForwardBatch(y, x, nil, netImages, out, in, 0, scratch) },
					12)/netImages)
			}
			rows = append(rows, r)
			total += float64(n.times) * r.seconds
			ideal += float64(n.times) * float64(n.g.FLOPs()) / r.peak * 1e-9
		}
		fmt.Printf("%s: %.2f ms an image, %.1f%% of peak\n", net.name, total*1e3, 100*ideal/total)
		slices.SortStableFunc(rows, func(a, b row) int {
			return int(1e9 * (float64(b.n.times)*b.seconds - float64(a.n.times)*a.seconds))
		})
		for _, r := range rows {
			gf := float64(r.n.g.FLOPs()) / r.seconds * 1e-9
			fmt.Printf("  %-24s %9.1f us ×%d %7.1f GFLOP/s %5.1f%% of peak %5.1f%% of the time\n", r.n, r.seconds*1e6,
				r.n.times, gf,
				100*gf/r.peak, 100*float64(r.n.times)*r.seconds/total)
		}
	}
}
