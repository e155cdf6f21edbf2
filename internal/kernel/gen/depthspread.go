package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthSpread writes the input gradient of the 3x3 depthwise convolution with stride two and padding one. Each output
// gradient and its neighbours to the right, below and to the lower right make four input gradients, whose even and odd
// columns are then interleaved. args.rows is the number of output rows, args.height that of input rows.
func depthSpread(u unit, s depthISA) {
	u.text("depthSpread"+s.name+"_s2", "depthArgs",
		"computes the input gradient of a 3x3 depthwise convolution of stride 2.")
	d := newDepthKernel(u, s)
	w := s.vecs(u, 9)
	if s.evex {
		table := u.load64(d.args, depthTable)
		d.idx = s.vecs(u, 2)
		for i, v := range d.idx {
			u.VMOVUPS(Mem{Base: table, Disp: 128*i + 2*(64-s.bytes)}, v)
		}
	}
	zero, pitch := u.load64(d.args, depthZero), u.load64(d.args, depthSrcRow)
	d.strip = u.GP64()
	u.Label("channel")
	p := u.load64(d.args, depthWeightsNow)
	for i, v := range w {
		u.VBROADCASTSS(Mem{Base: p, Disp: 4 * i}, v)
	}
	u.MOVQ(field(d.args, depthStrips), d.strip)
	t := u.load64(d.args, depthCount)
	u.MOVQ(t, field(d.args, depthLeft))
	d.eachStrip([]int{0, 1, stripStores, stripStores + 1}, false, false,
		func(suffix string) { d.spreadStrip(w, zero, pitch, suffix) })
	for _, f := range [][2]int{{depthSrcNow, depthSrcChannel}, {depthDstNow, depthDstChannel}} {
		t := u.load64(d.args, f[1])
		u.ADDQ(t, field(d.args, f[0]))
	}
	u.ADDQ(Imm(36), field(d.args, depthWeightsNow))
	u.DECQ(field(d.args, depthChannels))
	u.JNZ(LabelRef("channel"))
	u.VZEROUPPER()
	u.RET()
}

func (d *depthKernel) spreadStrip(w []reg.VecVirtual, zero, pitch reg.GPVirtual, suffix string) {
	u, s := d.unit, d.s
	row, at, rows, left := u.load64(d.args, depthSrcNow), u.load64(d.args, depthDstNow), u.load64(d.args, depthRows),
		u.load64(d.args, depthHeight)
	u.ADDQ(Mem{Base: d.strip, Disp: stripSrc}, row)
	u.ADDQ(Mem{Base: d.strip, Disp: stripDst}, at)
	a, b := s.vecs(u, 2), s.vecs(u, 2) // vectors of this and the next row, and the same vectors one column further
	for i, v := range a {
		d.load(Mem{Base: row, Disp: 4 * i}, i, v)
	}
	u.Label("row" + suffix)
	u.ADDQ(pitch, row)
	u.DECQ(rows)
	u.CMOVQEQ(zero, row)
	for i, v := range b {
		d.load(Mem{Base: row, Disp: 4 * i}, i, v)
	}
	// Terms are added in the order of the window's rows and columns.
	even, odd := s.vec(u), s.vec(u)
	u.VMULPS(a[0], w[4], even)
	u.VMULPS(a[1], w[3], odd)
	u.VFMADD231PS(a[0], w[5], odd)
	d.weave(even, odd, at, "Even"+suffix)
	u.SUBQ(Imm(2), left)
	u.JL(LabelRef("end" + suffix)) // the input has an odd number of rows
	u.ADDQ(field(d.args, depthDstRow), at)
	even, odd = s.vec(u), s.vec(u)
	u.VMULPS(b[0], w[1], even)
	u.VFMADD231PS(a[0], w[7], even)
	u.VMULPS(b[1], w[0], odd)
	u.VFMADD231PS(b[0], w[2], odd)
	u.VFMADD231PS(a[1], w[6], odd)
	u.VFMADD231PS(a[0], w[8], odd)
	d.weave(even, odd, at, "Odd"+suffix)
	u.ADDQ(field(d.args, depthDstRow), at)
	for i := range a {
		u.VMOVAPS(b[i], a[i])
	}
	u.TESTQ(rows, rows)
	u.JNZ(LabelRef("row" + suffix))
	u.Label("end" + suffix)
}

// weave stores even and odd columns interleaved as a row.
func (d *depthKernel) weave(even, odd reg.VecVirtual, at reg.GPVirtual, suffix string) {
	u, s := d.unit, d.s
	if s.evex {
		low := s.vec(u)
		u.VMOVAPS(even, low)
		u.VPERMT2PS(odd, d.idx[0], low)
		u.VPERMT2PS(odd, d.idx[1], even)
		u.VMOVUPS(low, d.k[stripStores], Mem{Base: at})
		u.VMOVUPS(even, d.k[stripStores+1], Mem{Base: at, Disp: s.bytes})
		return
	}
	t := u.YMM()
	u.VUNPCKLPS(odd, even, t)
	u.VUNPCKHPS(odd, even, even)
	u.VPERM2F128(Imm(0x20), even, t, odd)
	u.VPERM2F128(Imm(0x31), even, t, t)
	full, done := "full"+suffix, "stored"+suffix
	if d.masked {
		u.CMPQ(field(d.args, depthMasked), Imm(0))
		u.JE(LabelRef(full))
		m := u.YMM()
		u.VMOVUPS(Mem{Base: d.strip, Disp: stripLanes + 32*stripStores}, m)
		u.VMASKMOVPS(odd, m, Mem{Base: at})
		u.VMOVUPS(Mem{Base: d.strip, Disp: stripLanes + 32*(stripStores+1)}, m)
		u.VMASKMOVPS(t, m, Mem{Base: at, Disp: 32})
		u.JMP(LabelRef(done))
		u.Label(full)
	}
	u.VMOVUPS(odd, Mem{Base: at})
	u.VMOVUPS(t, Mem{Base: at, Disp: 32})
	if d.masked {
		u.Label(done)
	}
}
