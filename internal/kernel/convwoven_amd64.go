//go:build amd64 && !noasm

package kernel

import "unsafe"

// weaves reports whether the phases of an input gradient are the four of stride two, all of one size, so that weave can
// write them.
func (f *conv32) weaves() bool {
	g := f.c.g
	return len(f.phases) == 4 && g.SH == 2 && g.SW == 2 && g.H%2 == 0 && g.W%2 == 0 && !f.c.preReLU
}

// weave writes the four phases' gradients, which lie one after the other in planes, to dx: phase (0, 0) has the even
// rows and columns. Unless plus is nil it adds plus, which may be dx. At most slackLanes elements behind planes are
// read.
func (f *conv32) weave(dx, planes, plus []float32) {
	g := f.c.g
	rows, cols := g.H/2, g.W/2
	a := weaveArgs{
		src: ptr(planes, 0), srcPlane: 4 * g.C * rows * cols, srcRow: 4 * cols, srcChannel: 4 * rows * cols,
		dst: ptr(dx, 0), dstRow: 4 * g.W, dstChannel: 4 * g.H * g.W,
		cols: g.W, rows: g.H, channels: g.C, bias: ptr(f.zeros, 0), floor: noFloor,
		table: unsafe.Pointer(&winoTable), lanes: unsafe.Pointer(&laneTable),
	}
	if plus != nil {
		a.res = ptr(plus, 0)
	}
	if f.level == avx512 {
		weaveAVX512(&a)
	} else {
		weaveAVX2(&a)
	}
}
