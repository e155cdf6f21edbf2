package kernel

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// denseNet has the layers of DenseNet-BC-100-12 for 32x32 images, with random weights.
type denseNet struct {
	stem       *Conv[float32]
	blocks     [3]denseBlock
	final      []float32 // scale and shift of the last batch norm
	head, bias []float32
	flops      int
	scratch    int
}

type denseBlock struct {
	size, channels int
	layers         [16][2]*Conv[float32]
	transition     *Conv[float32]
}

// denseBuffers are the activations of one image.
type denseBuffers struct {
	blocks         [3][]float32
	mid, scratch   []float32
	pooled, logits []float32
	laps           []time.Time // the time at which each layer ended, if wanted
	timed          bool
}

func (b *denseBuffers) lap() {
	if b.timed {
		b.laps = append(b.laps, time.Now())
	}
}

func newDenseNet(b testing.TB) *denseNet {
	rng := newRand(7)
	n := &denseNet{}
	conv := func(g ConvGeom, pre, post bool) *Conv[float32] {
		s := ConvSpec[float32]{Geom: g, Weight: randSlice[float32](rng, g.WeightLen())}
		fan := float32(g.C * g.KH * g.KW)
		for i := range s.Weight {
			s.Weight[i] /= fan
		}
		if pre {
			s.PreScale, s.PreShift, s.PreReLU = randSlice[float32](rng, g.C), randSlice[float32](rng, g.C), true
		}
		if post {
			s.PostScale, s.PostShift, s.Post.Kind = randSlice[float32](rng, g.O), randSlice[float32](rng, g.O), ActReLU
		}
		c, err := NewConv(s)
		if err != nil {
			b.Fatal(err)
		}
		n.flops += g.FLOPs()
		n.scratch = max(n.scratch, c.ScratchLen())
		return c
	}
	n.stem = conv(ConvGeom{C: 3, H: 32, W: 32, O: 24, KH: 3, KW: 3, PH: 1, PW: 1}, false, false)
	ch, size := 24, 32
	for i := range n.blocks {
		blk := &n.blocks[i]
		blk.size = size
		for l := range blk.layers {
			blk.layers[l][0] = conv(ConvGeom{C: ch, H: size, W: size, O: 48, KH: 1, KW: 1}, true, true)
			blk.layers[l][1] = conv(ConvGeom{C: 48, H: size, W: size, O: 12, KH: 3, KW: 3, PH: 1, PW: 1}, false, false)
			ch += 12
		}
		blk.channels = ch
		if i < 2 {
			blk.transition = conv(ConvGeom{C: ch, H: size, W: size, O: ch / 2, KH: 1, KW: 1}, true, false)
			ch, size = ch/2, size/2
		}
	}
	n.final, n.head, n.bias = randSlice[float32](rng, 2*ch), randSlice[float32](rng, 10*ch), randSlice[float32](rng, 10)
	return n
}

func (n *denseNet) buffers() *denseBuffers {
	b := &denseBuffers{mid: make([]float32, 150*1024), scratch: make([]float32, n.scratch),
		pooled: make([]float32, 342), logits: make([]float32, 10)}
	for i, blk := range n.blocks {
		b.blocks[i] = make([]float32, blk.channels*blk.size*blk.size)
	}
	return b
}

func (n *denseNet) forward(b *denseBuffers, image []float32) {
	b.laps = b.laps[:0]
	b.lap()
	n.stem.Forward(b.blocks[0], image, nil, b.scratch)
	b.lap()
	for i := range n.blocks {
		blk := &n.blocks[i]
		hw, buf := blk.size*blk.size, b.blocks[i]
		for _, l := range blk.layers {
			c := l[0].Geom().C
			l[0].Forward(b.mid, buf, nil, b.scratch)
			b.lap()
			l[1].Forward(buf[c*hw:], b.mid, nil, b.scratch)
			b.lap()
		}
		if t := blk.transition; t != nil {
			t.Forward(b.mid, buf, nil, b.scratch)
			b.lap()
			AvgPool(PoolGeom{C: t.Geom().O, H: blk.size, W: blk.size, KH: 2, KW: 2}, b.blocks[i+1], b.mid)
			b.lap()
			continue
		}
		c := blk.channels
		Affine(buf, buf, n.final[:c], n.final[c:], c, hw, true)
		GlobalAvgPool(b.pooled, buf, c, hw)
		Linear(b.logits, b.pooled, n.head, n.bias, 1, c, 10)
		b.lap()
	}
}

// TestDenseNetSpeed adds up the shortest times of all layers over many runs of the network. On a busy machine no other
// time is repeatable. It runs only if the variable SPEED is set.
func TestDenseNetSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=1")
	}
	atLevels(t, func(t *testing.T) {
		if Level() == "generic" {
			t.Skip("too slow to be worth it")
		}
		n := newDenseNet(t)
		b := n.buffers()
		b.timed = true
		image := randSlice[float32](newRand(1), 3*32*32)
		var best []time.Duration
		for range 400 {
			n.forward(b, image)
			for i := range b.laps[1:] {
				d := b.laps[i+1].Sub(b.laps[i])
				if len(best) == i {
					best = append(best, d)
				}
				best[i] = min(best[i], d)
			}
		}
		var sum time.Duration
		for _, d := range best {
			sum += d
		}
		if os.Getenv("SPEED") == "2" {
			groups := map[string]time.Duration{}
			for i, d := range best {
				name := "stem"
				switch j := i - 1; {
				case i == 0:
				case i == len(best)-1:
					name = "tail"
				default:
					b, r := j/34, j%34
					name = fmt.Sprint("block", b, " ", []string{"1x1", "3x3"}[r%2])
					if r == 32 {
						name = fmt.Sprint("transition", b)
					} else if r == 33 {
						name = fmt.Sprint("pool", b)
					}
				}
				groups[name] += d
			}
			t.Log(groups)
		}
		gflops := float64(n.flops) / float64(sum.Nanoseconds())
		t.Logf("%v an image, %.1f images/s, %.1f GFLOP/s, %.1f %% of peak", sum, 1/sum.Seconds(), gflops,
			100*gflops/PeakFMA(100*time.Millisecond))
	})
}

// BenchmarkDenseNet runs the network on one image after the other, on one goroutine and on two. It reports the best of
// many short runs beside the mean, since other work on the machine only ever slows a run down.
func BenchmarkDenseNet(b *testing.B) {
	for _, lev := range Levels() {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/workers=%d", lev, workers), func(b *testing.B) {
				restore, err := ForceLevel(lev)
				if err != nil {
					b.Fatal(err)
				}
				defer restore()
				n := newDenseNet(b)
				peak := PeakFMA(30 * time.Millisecond)
				image := randSlice[float32](newRand(1), 3*32*32)
				bufs := make([]*denseBuffers, workers)
				for i := range bufs {
					bufs[i] = n.buffers()
				}
				quick := time.Hour
				b.ReportAllocs()
				for b.Loop() {
					start := time.Now()
					if workers == 1 {
						n.forward(bufs[0], image)
					} else {
						var wg sync.WaitGroup
						for _, buf := range bufs {
							wg.Go(func() { n.forward(buf, image) })
						}
						wg.Wait()
					}
					quick = min(quick, time.Since(start))
				}
				best := float64(workers) / quick.Seconds()
				b.ReportMetric(best, "best-img/s")
				b.ReportMetric(float64(workers*b.N)/b.Elapsed().Seconds(), "img/s")
				b.ReportMetric(best*float64(n.flops)*1e-9, "GFLOP/s")
				b.ReportMetric(100*best*float64(n.flops)*1e-9/(peak*float64(workers)), "%peak")
			})
		}
	}
}
