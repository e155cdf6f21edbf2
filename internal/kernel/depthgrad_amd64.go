//go:build amd64 && !noasm

package kernel

import "unsafe"

// depthGradSaved is the scratch of depthGrad: half a channel's sums.
const depthGradSaved = 9 * 8

// maxDepthStrips bounds the strips that depthGrad keeps on its stack; wider outputs take the general way.
const maxDepthStrips = 16

func depthGradFits(g ConvGeom) bool {
	return depthwiseFits(g) && g.OutW()-firstDepthLane(g) <= 8*maxDepthStrips
}

// depthGradStrip is the strip of outputs' gradients from column x on. With stride two those of the left column of
// weights are the ones from a column further on.
func depthGradStrip(g ConvGeom, lanes, x int) depthStrip {
	if g.SW == 1 {
		return strideOneStrip(g, lanes, x)
	}
	seen := min(g.W, 2*g.OutW()+1-g.PW) // columns that any output sees
	s := depthStrip{src: 4 * (2*x - g.PW + 1), dst: 4 * x, plain: 1}
	s.mask(0, lanes, 2*x-g.PW+1, seen)
	s.mask(1, lanes, 2*x-g.PW+1+lanes, seen)
	s.mask(stripStores, lanes, x, g.OutW())
	s.mask(stripStores+1, lanes, x+1, g.OutW())
	return s
}

// depthGrad adds the weight gradient of a depthwise 3x3 convolution to dw. Each is summed in sixteen lanes, by column,
// which are then added up as those of dots, whatever the level.
func depthGrad(l level, g ConvGeom, dw, x, dy, scratch []float32) {
	in, out, cols := g.H*g.W, g.OutH()*g.OutW(), g.OutW()
	var room [maxDepthStrips + 1]depthStrip
	strips := alignStrips(room[:])
	a := depthArgs{
		dst: ptr(dy, 0), dstRow: 4 * cols, dstChannel: 4 * out, src: ptr(x, 0), srcRow: 4 * g.W, srcChannel: 4 * in,
		weights: ptr(dw, 0), rows: g.OutH(), height: g.H, top: -g.PH, channels: g.C, strips: unsafe.Pointer(&strips[0]),
		zero: unsafe.Pointer(&zeros32), table: unsafe.Pointer(&depthTable), saved: ptr(scratch[:depthGradSaved], 0),
	}
	first := firstDepthLane(g)
	wide := cols-first > 8
	if l == avx512 && wide {
		for at := first; at < cols; at += 16 {
			strips[a.count] = depthGradStrip(g, 16, at)
			a.count++
		}
	} else {
		for at := first; at < cols; at += 16 {
			strips[a.count] = depthGradStrip(g, 8, at)
			a.count++
		}
		for at := first + 8; at < cols; at += 16 {
			strips[a.count+a.more] = depthGradStrip(g, 8, at)
			a.more++
		}
	}
	switch {
	case l == avx2 && g.SH == 1:
		depthGradAVX2_s1(&a)
	case l == avx2:
		depthGradAVX2_s2(&a)
	case wide && g.SH == 1:
		depthGradAVX512_s1(&a)
	case wide:
		depthGradAVX512_s2(&a)
	case g.SH == 1:
		depthGradAVX512y_s1(&a)
	default:
		depthGradAVX512y_s2(&a)
	}
}
