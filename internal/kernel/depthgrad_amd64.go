//go:build amd64 && !noasm

package kernel

import "unsafe"

// depthGradSaved is the number of elements of scratch for depthGrad: the sums of half a channel.
const depthGradSaved = 9 * 8

// maxDepthStrips is the number of strips that depthGrad can keep on its stack. The general code runs for wider outputs.
const maxDepthStrips = 16

func depthGradFits(g ConvGeom) bool {
	return depthwiseFits(g) && g.OutW()-firstDepthLane(g) <= 8*maxDepthStrips
}

// depthGradStrip returns the strip of output gradients from column x on. With stride two, the left column of weights
// uses the output gradients one column further right.
func depthGradStrip(g ConvGeom, lanes, x int) depthStrip {
	if g.SW == 1 {
		return strideOneStrip(g, lanes, x)
	}
	seen := min(g.W, 2*g.OutW()+1-g.PW) // input columns that any output reads
	s := depthStrip{src: 4 * (2*x - g.PW + 1), dst: 4 * x, plain: 1}
	s.mask(0, lanes, 2*x-g.PW+1, seen)
	s.mask(1, lanes, 2*x-g.PW+1+lanes, seen)
	s.mask(stripStores, lanes, x, g.OutW())
	s.mask(stripStores+1, lanes, x+1, g.OutW())
	return s
}

// depthGrad adds the weight gradient of a depthwise 3x3 convolution to dw. At every level each weight's gradient is
// summed in sixteen lanes, chosen by column, and the lanes are then added in the order that dots uses.
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
