//go:build amd64 && !noasm

package kernel

import "unsafe"

// depthGradSaved is the scratch of depthGrad: half a channel's sums.
const depthGradSaved = 9 * 8

// maxDepthStrips bounds the strips that depthGrad keeps on its stack; wider outputs take the general way.
const maxDepthStrips = 16

func depthGradFits(g ConvGeom) bool { return depthwiseFits(g) && g.OutW() <= 8*maxDepthStrips }

// depthGrad adds the weight gradient of a depthwise 3x3 convolution to dw. Each is summed in sixteen lanes, by column,
// which are then added up as those of dots, whatever the level.
func depthGrad(l level, g ConvGeom, dw, x, dy, scratch []float32) {
	in, out, cols := g.H*g.W, g.OutH()*g.OutW(), g.OutW()
	var strips [maxDepthStrips]depthStrip
	a := depthArgs{
		dst: ptr(dy, 0), dstRow: 4 * cols, dstChannel: 4 * out, src: ptr(x, 0), srcRow: 4 * g.W, srcChannel: 4 * in,
		weights: ptr(dw, 0), rows: g.OutH(), height: g.H, top: -g.PH, channels: g.C, strips: unsafe.Pointer(&strips),
		zero: unsafe.Pointer(&zeros32), table: unsafe.Pointer(&depthTable), saved: ptr(scratch[:depthGradSaved], 0),
	}
	if l == avx512 && cols > 8 {
		for at := 0; at < cols; at += 16 {
			strips[a.count] = correlationStrip(g, 16, at)
			a.count++
		}
	} else {
		for at := 0; at < cols; at += 16 {
			strips[a.count] = correlationStrip(g, 8, at)
			a.count++
		}
		for at := 8; at < cols; at += 16 {
			strips[a.count+a.more] = correlationStrip(g, 8, at)
			a.more++
		}
	}
	switch {
	case l == avx2 && g.SH == 1:
		depthGradAVX2_s1(&a)
	case l == avx2:
		depthGradAVX2_s2(&a)
	case cols > 8 && g.SH == 1:
		depthGradAVX512_s1(&a)
	case cols > 8:
		depthGradAVX512_s2(&a)
	case g.SH == 1:
		depthGradAVX512y_s1(&a)
	default:
		depthGradAVX512y_s2(&a)
	}
}
