package kernel

import (
	"errors"
	"fmt"
	"math"
)

// PoolND is a pooling over any number of spatial axes. Only one goroutine at a time may use it.
type PoolND struct {
	axes    []poolAxis
	out     []int
	stride  []int // strides of the input along each axis
	include bool

	at     []int    // output position
	window []window // the window of that output along each axis
	points []int    // positions of that window's points in the plane
	tap    []int
}

// window is the part of a window inside the input, along one axis, see poolAxis.window.
type window struct{ lo, hi, inside, padded int }

// PoolNDGeom is the geometry of a PoolND, one element for each spatial axis in every field. A stride of zero means the
// kernel size, a dilation of zero means one; nil slices are zeros.
type PoolNDGeom struct {
	In, Kernel, Stride, Dilation, Begin, End []int
	CeilMode, CountIncludePad                bool
}

// NewPoolND returns the pooling of a geometry. As for PoolGeom, the padding must be less than the span of a window.
func NewPoolND(g PoolNDGeom) (*PoolND, error) {
	n := len(g.In)
	if n == 0 {
		return nil, errors.New("kernel: pooling without a spatial axis")
	}
	p := &PoolND{include: g.CountIncludePad, at: make([]int, n), window: make([]window, n), tap: make([]int, n)}
	for _, f := range []struct {
		name string
		v    []int
	}{{"kernel", g.Kernel}, {"stride", g.Stride}, {"dilation", g.Dilation}, {"padding", g.Begin},
		{"end padding", g.End}} {
		if len(f.v) != n && (f.v != nil || f.name == "kernel") {
			return nil, fmt.Errorf("kernel: pooling %s: expected %d numbers, got %v", f.name, n, f.v)
		}
	}
	at := func(v []int, i int) int {
		if v == nil {
			return 0
		}
		return v[i]
	}
	taps := 1
	for i, in := range g.In {
		a := poolAxis{in: in, k: g.Kernel[i], s: at(g.Stride, i), d: one(at(g.Dilation, i)), begin: at(g.Begin, i),
			end: at(g.End, i)}
		if a.s == 0 {
			a.s = a.k
		}
		switch {
		case a.in < 1 || a.k < 1 || a.s < 1 || a.d < 1:
			return nil,
				fmt.Errorf("kernel: pooling: expected positive sizes, got an axis of %d with kernel %d, stride %d, "+
					"dilation %d",
					a.in, a.k, a.s, a.d)
		case !a.padded():
			return nil,
				fmt.Errorf("kernel: pooling: expected padding of at least zero and less than a window of %d with "+
					"dilation %d, got %d and %d",
					a.k, a.d, a.begin, a.end)
		case a.out(g.CeilMode) < 1:
			return nil, fmt.Errorf("kernel: pooling kernel %d does not fit the padded input %d", a.k,
				a.in+a.begin+a.end)
		}
		p.axes = append(p.axes, a)
		p.out = append(p.out, a.out(g.CeilMode))
		taps *= min(a.k, a.in)
	}
	p.stride = make([]int, n)
	for i, step := n-1, 1; i >= 0; i-- {
		p.stride[i] = step
		step *= g.In[i]
	}
	p.points = make([]int, 0, taps)
	return p, nil
}

// Out returns the size of the output along each spatial axis.
func (p *PoolND) Out() []int { return p.out }

// Axis returns the geometry along one spatial axis.
func (p *PoolND) Axis(i int) (in, kernel, stride, begin, end, dilation int) {
	a := p.axes[i]
	return a.in, a.k, a.s, a.begin, a.end, a.d
}

// CountsPadding tells whether the divisor of an average counts the padding.
func (p *PoolND) CountsPadding() bool { return p.include }

// Planes returns the number of elements of one channel of the input and of the output.
func (p *PoolND) Planes() (in, out int) {
	in, out = 1, 1
	for i, a := range p.axes {
		in *= a.in
		out *= p.out[i]
	}
	return in, out
}

// each calls visit for every window, in the order of the outputs, with the output's position o in its plane and the
// divisor of an average.
func (p *PoolND) each(visit func(o, div int)) {
	clear(p.at)
	_, outs := p.Planes()
	for o := range outs {
		inside, padded := 1, 1
		for i, a := range p.axes {
			w := &p.window[i]
			w.lo, w.hi, w.inside, w.padded = a.window(p.at[i])
			inside *= w.inside
			padded *= w.padded
		}
		p.gather(inside)
		if p.include && inside > 0 {
			inside = padded
		}
		visit(o, inside)
		for i := len(p.at) - 1; i >= 0; i-- {
			if p.at[i]++; p.at[i] < p.out[i] {
				break
			}
			p.at[i] = 0
		}
	}
}

// gather lists the n points of the present window, the last axis fastest.
func (p *PoolND) gather(n int) {
	p.points = p.points[:0]
	clear(p.tap)
	for range n {
		at := 0
		for i, a := range p.axes {
			at += (p.window[i].lo + p.tap[i]*a.d) * p.stride[i]
		}
		p.points = append(p.points, at)
		for i := len(p.tap) - 1; i >= 0; i-- {
			if p.tap[i]++; p.tap[i] < p.window[i].inside {
				break
			}
			p.tap[i] = 0
		}
	}
}

// MaxPoolND computes dst [channels, outputs...], the maximum of every window of src [channels, inputs...], and writes
// the position of each maximum in its channel to index. As in MaxPool, the first of equal values counts, and the last
// NaN wins over all others. A window without a point in the input gives -Inf and index zero.
func MaxPoolND[T Float](p *PoolND, dst []T, index []int32, src []T, channels int) {
	in, out := p.Planes()
	p.each(func(o, _ int) {
		for c := range channels {
			plane := src[c*in:][:in]
			best, at := T(math.Inf(-1)), 0
			for k, i := range p.points {
				if v := plane[i]; v > best || v != v || k == 0 {
					best, at = v, i
				}
			}
			dst[c*out+o], index[c*out+o] = best, int32(at)
		}
	})
}

// MaxPoolNDBackward computes dx [channels, inputs...] from dy [channels, outputs...] and the index that MaxPoolND
// wrote.
func MaxPoolNDBackward[T Float](p *PoolND, dx, dy []T, index []int32, channels int) {
	in, out := p.Planes()
	clear(dx[:channels*in])
	for c := range channels {
		plane := dx[c*in:][:in]
		for i, v := range dy[c*out:][:out] {
			plane[index[c*out+i]] += v
		}
	}
}

// AvgPoolND computes dst [channels, outputs...], the mean of every window of src [channels, inputs...], with the
// divisor of AvgPool.
func AvgPoolND[T Float](p *PoolND, dst, src []T, channels int) {
	in, out := p.Planes()
	p.each(func(o, div int) {
		for c := range channels {
			plane := src[c*in:][:in]
			var sum T
			for _, i := range p.points {
				sum += plane[i]
			}
			if div > 0 {
				sum /= T(div)
			}
			dst[c*out+o] = sum
		}
	})
}

// AvgPoolNDBackward computes dx [channels, inputs...] from dy [channels, outputs...].
func AvgPoolNDBackward[T Float](p *PoolND, dx, dy []T, channels int) {
	in, out := p.Planes()
	clear(dx[:channels*in])
	p.each(func(o, div int) {
		if div == 0 {
			return
		}
		for c := range channels {
			plane := dx[c*in:][:in]
			v := dy[c*out+o] / T(div)
			for _, i := range p.points {
				plane[i] += v
			}
		}
	})
}
