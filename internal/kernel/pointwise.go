//go:build (amd64 || arm64) && !noasm

package kernel

import "slices"

// thinned is a 1x1 convolution with strides. The pixels that it reads are copied, with the pre operation applied, and
// the copy is convolved without strides, on panels instead of views.
type thinned struct {
	plan
	level        level
	g            ConvGeom
	ones, zeros  []float32 // [C]
	channel, len int       // number of elements of a channel of the copy, and of the whole copy
}

// thinnedFits reports whether a geometry is a 1x1 convolution with strides and without padding.
func thinnedFits(g ConvGeom) bool {
	return g.KH == 1 && g.KW == 1 && g.SH*g.SW > 1 && g.PH == 0 && g.PW == 0 && (g.OutH()-1)*g.SH < g.H &&
		(g.OutW()-1)*g.SW < g.W
}

// newThinned returns a thinned without weights, for a geometry that fits. pack sets the weights.
func newThinned(l level, g ConvGeom) *thinned {
	h, w := g.OutH(), g.OutW()
	p := newPlan(l, planGeom{groups: g.Groups, c: g.C / g.Groups, m: g.O / g.Groups, h: h, w: w, oh: h, ow: w, sh: 1,
		sw: 1, taps: []tap{{}}})
	return &thinned{
		plan: *p, level: l, g: g, ones: slices.Repeat([]float32{1}, g.C), zeros: make([]float32, g.C),
		channel: h * w, len: g.C*h*w + w + slackLanes, // see viewFill
	}
}

func (t *thinned) scratchLen() int { return t.len + slackLanes + t.plan.scratchLen() }

// run computes one image; see planIO.
func (t *thinned) run(image planIO) {
	g, w := t.g, t.g.OutW()
	scratch := alignVector(image.scratch)
	f := viewFill{
		level: t.level, h: g.H, w: g.W, sh: g.SH, sw: g.SW, pitch: w, channel: t.channel, channels: g.C,
		src: image.src, scale: image.scale, shift: image.shift, floor: image.floor,
	}
	f.fill(scratch, view{rows: g.OutH(), cols: w}, 0)
	image.src, image.scale, image.shift, image.floor = scratch[:t.len], t.ones, t.zeros, noFloor
	image.scratch = scratch[t.len:]
	t.plan.run(image)
}
