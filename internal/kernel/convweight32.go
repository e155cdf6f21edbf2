//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// The weight gradient of tap (kh, kw) between channels o and c is the product of plane o of the output gradient with
// the elements of input plane c that the tap reads. Input planes are copied once for each column offset, with dense
// rows one after the other, so that the elements that a tap reads are contiguous; see view.

const (
	weightColumns = 512 // output positions of a strip, few enough for the strips of some planes to stay in the L1 cache
	onesLen       = 1024
)

var ones32 = func() (s [onesLen]float32) {
	for i := range s {
		s[i] = 1
	}
	return s
}()

var zeros32 [onesLen]float32

// weightGrad is the plan of a weight gradient.
type weightGrad struct {
	ConvGeom
	in, out int // input and output channels of a group
	oh, ow  int
	direct  bool // pointwise: its only tap reads the input as it is
	strip   int  // output rows of a strip
	view    int  // elements of a view
	channel int  // elements of a channel
	blockC  int
	images  int // number of images summed together
}

func newWeightGrad(g ConvGeom, n int) weightGrad {
	w := weightGrad{ConvGeom: g, in: g.C / g.Groups, out: g.O / g.Groups, oh: g.OutH(), ow: g.OutW()}
	w.strip = min(w.oh, max(1, weightColumns/w.ow))
	strips := (w.oh + w.strip - 1) / w.strip
	w.strip = (w.oh + strips - 1) / strips
	w.view = (w.viewRows(w.strip)+1)*w.ow + 16
	w.channel = g.SH * g.KW * w.view
	w.direct = g.KH == 1 && g.KW == 1 && g.SH == 1 && g.SW == 1 && w.oh == g.H && w.ow == g.W
	if w.direct {
		w.channel = g.H * g.W
	}
	w.images = evenBlock(n, max(1, weightColumns/(w.oh*w.ow))) // one if an image has several strips
	w.blockC = evenBlock(w.in, min(onesLen, max(1, rearrangeCache/4/(w.channel*w.images))))
	return w
}

// viewRows returns the number of rows of a view, for a strip of the given number of output rows.
func (w *weightGrad) viewRows(strip int) int { return strip + (w.KH-1)*w.DH/w.SH }

func convBackwardWeightScratch(g ConvGeom, images int) int {
	if currentLevel() == generic {
		return 0
	}
	if depthGradFits(g) {
		return depthGradSaved
	}
	if n, ok := winoWeightScratch(currentLevel(), g, images); ok {
		return n
	}
	w := newWeightGrad(g, images)
	n := w.blockC*w.KH*w.KW + 16 // room for the offsets
	if !w.direct {
		n += w.images*w.blockC*w.channel + slackLanes
	}
	return n
}

func convBackwardWeight32(g ConvGeom, dw, dbias, x, dy []float32, n, xStride, dyStride int, scratch []float32) bool {
	l := currentLevel()
	if l == generic {
		return false
	}
	hw := g.OutH() * g.OutW()
	if dbias != nil {
		for i := range n {
			biasGrad(l, dbias, dy[i*dyStride:], hw)
		}
	}
	if depthGradFits(g) {
		for i := range n {
			depthGrad(l, g, dw, x[i*xStride:], dy[i*dyStride:], scratch)
		}
		return true
	}
	if winoWeightGrad(l, g, dw, x, dy, n, xStride, dyStride, scratch) {
		return true
	}
	w := newWeightGrad(g, n)
	scratch = alignVector(scratch)
	// Offsets are int32, of the size of a float32, so they are kept in scratch.
	off := unsafe.Slice((*int32)(unsafe.Pointer(&scratch[0])), w.blockC*w.KH*w.KW)
	w.offsets(off)
	for i := 0; i < n; i += w.images {
		images := min(w.images, n-i)
		for y0 := 0; y0 < w.oh; y0 += w.strip {
			w.add(l, dw, x[i*xStride:], dy[i*dyStride:], images, xStride, dyStride, y0, off, scratch[len(off):])
		}
	}
	return true
}

// add adds the gradient of a strip of some images. The strip starts at output row y0.
func (w *weightGrad) add(l level, dw, x, dy []float32, images, xStride, dyStride, y0 int, off []int32,
	scratch []float32) {
	hw, taps, rows := w.oh*w.ow, w.KH*w.KW, min(w.strip, w.oh-y0)
	for group := range w.Groups {
		for c0 := 0; c0 < w.in; c0 += w.blockC {
			n := min(w.blockC, w.in-c0)
			first := group*w.in + c0
			d := dotsArgs{
				a: ptr(dy, group*w.out*hw+y0*w.ow), lda: 4 * hw, n: rows * w.ow,
				c: ptr(dw, (group*w.out*w.in+c0)*taps), ldc: 4 * w.in * taps,
				parts: images, aPart: 4 * dyStride, bPart: 4 * xStride,
			}
			if w.direct {
				d.b = ptr(x, first*hw+y0*w.ow)
			} else {
				d.bPart = 4 * w.blockC * w.channel
				for i := range images {
					w.fill(l, scratch[i*w.blockC*w.channel:], x[i*xStride+first*w.H*w.W:], n, y0, rows)
				}
				d.b = ptr(scratch, 0)
			}
			// The output gradients are read again for every few columns. A block has as many of their rows as stay in
			// cache.
			block := max(12, rearrangeCache/4/(rows*w.ow*images)/12*12)
			for o := 0; o < w.out; o += block {
				e := d
				e.a, e.c = unsafe.Add(d.a, o*d.lda), unsafe.Add(d.c, o*d.ldc)
				dots(l, min(block, w.out-o), off[:n*taps], e)
			}
		}
	}
}

// biasGrad adds to each element of dbias the sum of its plane, of n elements.
func biasGrad(l level, dbias, dy []float32, n int) {
	off := [1]int32{}
	for at := 0; at < n; at += onesLen {
		dots(l, len(dbias), off[:], dotsArgs{
			a: ptr(dy, at), lda: 4 * n, n: min(onesLen, n-at), b: unsafe.Pointer(&ones32), c: ptr(dbias, 0), ldc: 4,
			parts: 1,
		})
	}
}

// offsets writes, for each tap of each channel of a block, where in the rearranged input the elements that it reads
// start, in bytes.
func (w *weightGrad) offsets(off []int32) {
	i := 0
	for c := range w.blockC {
		for kh := range w.KH {
			d := kh * w.DH
			for kw := range w.KW {
				at := c * w.channel
				if !w.direct {
					at += (d%w.SH*w.KW+kw)*w.view + d/w.SH*w.ow
				}
				off[i] = int32(4 * at)
				i++
			}
		}
	}
}

// fill copies n channels of a strip into their views.
func (w *weightGrad) fill(l level, dst, x []float32, n, y0, rows int) {
	f := viewFill{
		level: l, h: w.H, w: w.W, sh: w.SH, sw: w.SW, pitch: w.ow, channel: w.channel, channels: n,
		src: x, scale: ones32[:], shift: zeros32[:], floor: noFloor,
	}
	for rest := range w.SH {
		used := false
		for kh := range w.KH {
			used = used || kh*w.DH%w.SH == rest
		}
		if !used {
			continue
		}
		for kw := range w.KW {
			v := view{dy: rest - w.PH, dx: kw*w.DW - w.PW, rows: w.viewRows(rows), cols: w.ow}
			f.fill(dst[(rest*w.KW+kw)*w.view:], v, y0)
		}
	}
}
