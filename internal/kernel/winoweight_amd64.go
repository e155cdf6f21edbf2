//go:build amd64 && !noasm

package kernel

import "unsafe"

// The weight gradient of a 3x3 convolution of stride one by F(3x3, 2x2): each 2x2 tile of output gradients and the
// 4x4 tile of inputs that it meets give nine sums from sixteen products, in place of 36. The transform of the inputs
// is that of the forward pass; see winograd for the source. In one direction, for output gradients a and b and inputs
// d,
//
//	[1 ½ ½ 0; 0 ½ -½ 0; 0 ½ ½ -1] · ([a; a+b; a-b; b] ⊙ [d0-d2; d1+d2; d2-d1; d1-d3])
//
// are the three sums. Products of all tiles are added up before the last transform, which is linear; each of the
// sixteen places is a matrix product over tiles.
//
// Rounding: a transform rounds at most twice for the gradients, twice for the inputs and four times for the sums, and
// a sum over N tiles rounds N times. So the error of a weight's gradient is bounded by N+8 roundings of the same sums
// with all differences replaced by sums of absolute values, which are at most a small multiple of the sum of
// |dy|·|x|.

const (
	weightTiles     = 512     // tiles of several images together, whose sums are added before they are stored
	weightTilesLow  = 96      // fewer tiles cost more to add up than they save
	weightTileCache = 1 << 20 // bytes of the transformed tiles
)

// winoWeight is the plan of such a gradient.
type winoWeight struct {
	in      winograd // the shape of the input's transform
	tiles   int      // tiles of an image
	images  int      // images together
	channel int      // elements from channel to channel of the transformed tiles
	plane   int      // elements of a plane of output gradients
}

// newWinoWeight returns the plan for n images. It returns false where the direct sums are faster.
func newWinoWeight(l level, g ConvGeom, n int) (w winoWeight, ok bool) {
	if !winogradFits(l, g) || g.C > onesLen || g.O > onesLen {
		return w, false
	}
	w.in.shape(l, g, true)
	w.tiles = w.in.tileH * w.in.tileW
	most := min(weightTiles, weightTileCache/(4*winoPlaces*(g.C+g.O))) / w.tiles
	if min(n, most)*w.tiles < weightTilesLow {
		return w, false
	}
	if !w.in.direct {
		w.in.chooseStrip()
	}
	w.images = evenBlock(n, most)
	w.channel = (w.images*w.tiles+15)/16*16 + 16 // see winograd.place
	w.plane = (w.in.tileH+1)*w.in.tileW + 16
	return w, true
}

// offsetsLen is the number of elements that the offsets of the channels take.
func (w *winoWeight) offsetsLen() int { return (w.in.g.C + 15) / 16 * 16 }

func (w *winoWeight) scratchLen() int {
	g := w.in.g
	views := max(g.C*w.in.channel+2*w.in.tileW, 4*g.O*w.plane)
	return w.offsetsLen() + winoPlaces*(g.O*g.C+16+(g.O+g.C)*w.channel) + views + 4*slackLanes
}

// add adds the gradient of n images to dw.
func (w *winoWeight) add(dw, x, dy []float32, n, xStride, dyStride int, scratch []float32) {
	g := w.in.g
	scratch = alignVector(scratch)
	cut := func(n int) []float32 {
		s := scratch[:n]
		scratch = scratch[n:]
		return s
	}
	off := cut(w.offsetsLen())
	offsets := unsafe.Slice((*int32)(unsafe.Pointer(&off[0])), g.C)
	for c := range offsets {
		offsets[c] = int32(4 * c * w.channel)
	}
	size := (g.O*g.C + 15) / 16 * 16
	sums := cut(winoPlaces * size)
	clear(sums)
	inputs, grads := cut(winoPlaces*g.C*w.channel), cut(winoPlaces*g.O*w.channel)
	for i := 0; i < n; i += w.images {
		images := min(w.images, n-i)
		for j := range images {
			w.transformInput(inputs[j*w.tiles:], x[(i+j)*xStride:], scratch)
			w.transformGradient(grads[j*w.tiles:], dy[(i+j)*dyStride:], scratch)
		}
		for place := range winoPlaces {
			dots(w.in.level, g.O, offsets, dotsArgs{
				a: ptr(grads, place*g.O*w.channel), lda: 4 * w.channel, n: images * w.tiles,
				b: ptr(inputs, place*g.C*w.channel), c: ptr(sums, place*size), ldc: 4 * g.C, parts: 1,
			})
		}
	}
	for i := range g.O * g.C {
		addWinoSums(dw[9*i:][:9], sums[i:], size)
	}
}

// addWinoSums adds the last transform of the sums of the sixteen places, which are apart elements apart.
func addWinoSums(dw, sums []float32, apart int) {
	row := func(a, b, c, d float32) (float32, float32, float32) {
		plus, minus := 0.5*(b+c), 0.5*(b-c)
		return a + plus, minus, plus - d
	}
	var t [3][4]float32
	for j := range 4 {
		s := sums[j*apart:]
		t[0][j], t[1][j], t[2][j] = row(s[0], s[4*apart], s[8*apart], s[12*apart])
	}
	for i := range t {
		a, b, c := row(t[i][0], t[i][1], t[i][2], t[i][3])
		d := dw[3*i:][:3]
		d[0] += a
		d[1] += b
		d[2] += c
	}
}

// transformInput writes the transformed tiles of an image's input.
func (w *winoWeight) transformInput(dst, x, views []float32) {
	p := &w.in
	g := p.g
	if p.direct {
		a := winoInArgs{
			srcChannel: 4 * g.H * g.W, srcRow: 4 * g.W, dstPlace: 4 * g.C * w.channel, dstChannel: 4 * w.channel,
			channels: g.C, table: unsafe.Pointer(&winoTable),
		}
		for tile := 0; tile < w.tiles; tile += p.lanes {
			row, column := 2*(tile/p.tileW), 2*(tile%p.tileW)
			a.src, a.dst = ptr(x, row*g.W+column), ptr(dst, tile)
			p.transformDirect(&a, row, column)
		}
		return
	}
	io := planIO{src: x, scale: ones32[:], shift: zeros32[:], floor: noFloor}
	for ty := 0; ty < p.tileH; ty += p.strip {
		rows := min(p.strip, p.tileH-ty)
		p.fillViews(&io, views, ty, rows)
		for at := 0; at < rows*p.tileW; at += p.lanes {
			a := winoViewArgs{
				src: ptr(views, at), srcView: 4 * (p.views[1].at - p.views[0].at), srcRow: 4 * p.tileW,
				srcChannel: 4 * p.channel,
				dst:        ptr(dst, ty*p.tileW+at), dstPlace: 4 * g.C * w.channel, dstChannel: 4 * w.channel,
				channels: g.C,
			}
			if p.level == avx512 {
				winoInViewsAVX512(&a)
			} else {
				winoInViewsAVX2(&a)
			}
		}
	}
}

// transformGradient writes the transformed tiles of an image's output gradient, without the factors ½.
func (w *winoWeight) transformGradient(dst, dy, planes []float32) {
	p := &w.in
	g := p.g
	if p.direct {
		a := winoInArgs{
			srcChannel: 4 * g.H * g.W, srcRow: 4 * g.W, dstPlace: 4 * g.O * w.channel, dstChannel: 4 * w.channel,
			channels: g.O, table: unsafe.Pointer(&winoTable),
		}
		for tile := 0; tile < w.tiles; tile += p.lanes {
			a.src, a.dst = ptr(dy, 2*(tile/p.tileW)*g.W+2*(tile%p.tileW)), ptr(dst, tile)
			switch {
			case p.level == avx2:
				winoGrad8AVX2(&a)
			case g.W == 32:
				winoGrad16AVX512(&a)
			default:
				winoGrad8AVX512(&a)
			}
		}
		return
	}
	fill := viewFill{
		level: p.level, h: g.OutH(), w: g.OutW(), sh: 2, sw: 2, pitch: p.tileW, channel: 4 * w.plane, channels: g.O,
		src: dy, scale: ones32[:], shift: zeros32[:], floor: noFloor,
	}
	for i := range 4 {
		fill.fill(planes[i*w.plane:], view{dy: i / 2, dx: i % 2, rows: p.tileH, cols: p.tileW}, 0)
	}
	a := winoFlatArgs{
		srcPlace: 4 * w.plane, srcChannel: 16 * w.plane, dstPlane: 4 * g.O * w.channel, dstChannel: 4 * w.channel,
		channels: g.O,
	}
	for at := 0; at < w.tiles; at += p.lanes {
		a.src, a.dst = ptr(planes, at), ptr(dst, at)
		if p.level == avx512 {
			winoGradFlatAVX512(&a)
		} else {
			winoGradFlatAVX2(&a)
		}
	}
}

// winoWeightScratch returns the number of elements of scratch for n images, or false where the direct sums run.
func winoWeightScratch(l level, g ConvGeom, n int) (int, bool) {
	w, ok := newWinoWeight(l, g, n)
	return w.scratchLen(), ok
}

// winoWeightGrad adds the weight gradient of n images to dw, or returns false where the direct sums run.
func winoWeightGrad(l level, g ConvGeom, dw, x, dy []float32, n, xStride, dyStride int, scratch []float32) bool {
	w, ok := newWinoWeight(l, g, n)
	if ok {
		w.add(dw, x, dy, n, xStride, dyStride, scratch)
	}
	return ok
}
