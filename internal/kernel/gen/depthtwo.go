package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// With stride two, the middle column of weights reads every other column of the input, and the right column of weights
// reads the columns in between. The left column of weights reads these, too, but for the output one further right. A
// strip starts with a column that the middle column of weights reads. The products of the left column are summed
// separately, and their sums are shifted by one lane when a row of outputs is complete; shifting the input would take a
// shift for each of its rows. The first lane gets nothing from that shift: it belongs to the strip before, or is
// padding.
//
// VSHUFPS separates the columns, which leaves lanes out of order (see ordered). Permutations that keep the order would
// compete with the multiplications for a port.

// forwardTwo holds what all rows of the forward pass need.
type forwardTwo struct {
	d                 *depthKernel
	w                 []reg.VecVirtual
	bias, floor, ceil reg.VecVirtual // only with evex
	pitchOut          reg.GPVirtual
}

// loadOrders loads the permutations of lanes that the kernels with mask registers need.
func (d *depthKernel) loadOrders(gradient bool) {
	if !d.s.evex {
		return
	}
	table := d.load64(d.args, depthTable)
	load := func(at int) reg.VecVirtual {
		v := d.s.vec(d.unit)
		d.VMOVUPS(Mem{Base: table, Disp: at}, v)
		return v
	}
	at := depthTableOrder + 2*(64-d.s.bytes) // the permutations of eight lanes follow those of sixteen
	d.order = load(at)
	if gradient {
		d.back = load(depthTableBack)
		return
	}
	d.shift = load(at + 96)
	mask := func(bits uint32) reg.Register {
		t, k := d.GP32(), d.K()
		d.MOVL(U32(bits), t)
		d.KMOVW(t, k)
		return k
	}
	d.notFirst = mask(0xfffe)
	if d.s.pair {
		d.notFirst, d.second = mask(0xfefe), mask(0xcccc)
	}
}

// forwardTwo loads what all channels of the forward pass need.
func (d *depthKernel) forwardTwo() *forwardTwo {
	u := d.unit
	d.apart = u.load64(d.args, depthSrcChannel)
	f := &forwardTwo{d: d, pitchOut: u.load64(d.args, depthDstRow)}
	if d.s.evex {
		f.bias, f.floor, f.ceil = d.s.vec(u), d.s.vec(u), d.s.vec(u)
		u.VBROADCASTSS(field(d.args, depthFloor), f.floor)
		u.VBROADCASTSS(Mem{Base: d.args, Disp: 8*depthFloor + 4}, f.ceil)
	}
	return f
}

// channel sets the weights of a channel and loads its bias.
func (f *forwardTwo) channel(w []reg.VecVirtual) {
	f.w = w
	if f.d.s.evex {
		f.d.broadcast(Mem{Base: f.d.load64(f.d.args, depthBiasNow)}, 4, f.bias)
	}
}

// rowTwo is a row of outputs that is being computed: its sums, and the sums that are to be shifted by one lane. In the
// weight gradient it is the gradients of the outputs, and of the outputs one further right.
type rowTwo struct{ own, next reg.VecVirtual }

// block computes a block of rows.
func (f *forwardTwo) block(b depthBlock) {
	d, u, n, w := f.d, f.d.unit, b.n, f.w
	rows := make([]rowTwo, n)
	for q := range 2*n + 1 {
		// Large planes come from the third-level cache, and the processor does not predict their addresses.
		if d.s.bytes == 64 && !d.s.pair {
			u.PREFETCHT1(Mem{Base: b.row, Index: d.apart, Scale: 1, Disp: 64})
			if q%2 == 0 {
				u.PREFETCHT1(Mem{Base: b.row, Index: d.apart, Scale: 1})
			}
		}
		even, odd := d.pair(b, q)
		d.eachOfTwo(n, q, func(i, kh int) {
			r := &rows[i]
			if kh == 0 {
				*r = rowTwo{d.s.vec(u), d.s.vec(u)}
				if d.s.evex {
					u.VMOVAPS(f.bias, r.own)
				} else {
					u.VBROADCASTSS(Mem{Base: u.load64(d.args, depthBiasNow)}, r.own)
				}
				u.VMULPS(odd, w[0], r.next)
			} else {
				u.VFMADD231PS(odd, w[3*kh], r.next)
			}
			u.VFMADD231PS(even, w[3*kh+1], r.own)
			u.VFMADD231PS(odd, w[3*kh+2], r.own)
			if kh == 2 {
				f.finish(b, *r, fmt.Sprintf("%dof%d%s", i, n, b.suffix))
			}
		})
	}
	u.ADDQ(U32(2*n), b.iy)
}

// finish completes a row and stores it.
func (f *forwardTwo) finish(b depthBlock, r rowTwo, suffix string) {
	d, u := f.d, f.d.unit
	floor, ceil := f.floor, f.ceil
	if d.s.evex {
		u.VPERMPS_Z(r.next, d.shift, d.notFirst, r.next)
	} else {
		floor = u.YMM()
		idx := floor
		u.VMOVUPS(Mem{Base: u.load64(d.args, depthTable), Disp: depthTableOrder + 96 + 64}, idx)
		u.VPERMPS(r.next, idx, r.next)
		u.VBLENDPS(Imm(1), Mem{Base: b.zero}, r.next, r.next)
		u.VBROADCASTSS(field(d.args, depthFloor), floor)
	}
	d.ordered(r.own)
	u.VADDPS(r.next, r.own, r.own)
	u.VMAXPS(r.own, floor, r.own)
	if !d.s.evex {
		ceil = floor
		u.VBROADCASTSS(Mem{Base: d.args, Disp: 8*depthFloor + 4}, ceil)
	}
	u.VMINPS(r.own, ceil, r.own)
	full, done := "full"+suffix, "stored"+suffix
	switch {
	case d.s.pair:
		t := u.load64(d.args, depthDstChannel)
		u.VMOVUPS(r.own.AsY(), d.k[stripStores], Mem{Base: b.at})
		u.VEXTRACTF64X4(Imm(1), r.own, r.next.AsY())
		u.VMOVUPS(r.next.AsY(), d.k[stripStores], Mem{Base: b.at, Index: t, Scale: 1})
	case d.s.evex:
		u.VMOVUPS(r.own, d.k[stripStores], Mem{Base: b.at})
	case d.masked:
		u.CMPQ(field(d.args, depthMasked), Imm(0))
		u.JE(LabelRef(full))
		u.VMOVUPS(Mem{Base: d.strip, Disp: stripLanes + 32*stripStores}, r.next)
		u.VMASKMOVPS(r.own, r.next, Mem{Base: b.at})
		u.JMP(LabelRef(done))
		u.Label(full)
		u.VMOVUPS(r.own, Mem{Base: b.at})
		u.Label(done)
	default:
		u.VMOVUPS(r.own, Mem{Base: b.at})
	}
	u.ADDQ(f.pitchOut, b.at)
}

// pair loads row q of a block's input, separated into even and odd columns. It then moves to the next row, except from
// the last one, where the next block begins. For two channels at once, the second channel takes the place of the second
// half of a strip.
func (d *depthKernel) pair(b depthBlock, q int) (even, odd reg.VecVirtual) {
	u := d.unit
	from := b.row
	next := Mem{Base: from, Disp: d.s.bytes}
	if d.s.pair {
		next = Mem{Base: from, Index: d.apart, Scale: 1}
	}
	if q < 2 || q >= 2*b.n-1 { // no other rows can be outside: at most two are padding
		from = u.GP64()
		t := u.GP64()
		u.MOVQ(b.row, from)
		u.LEAQ(Mem{Base: b.iy, Disp: q}, t)
		if d.s.pair {
			next = Mem{Base: u.GP64()}
			u.LEAQ(Mem{Base: b.row, Index: d.apart, Scale: 1}, next.Base)
			u.CMPQ(t, b.height)
			u.CMOVQCC(b.zero, next.Base)
		} else {
			next.Base = from
			u.CMPQ(t, b.height)
		}
		u.CMOVQCC(b.zero, from) // also for negative rows, which are large as unsigned numbers
	}
	x, y, even := d.s.vec(u), d.s.vec(u), d.s.vec(u)
	if d.s.pair {
		d.load(Mem{Base: from}, 2, x)
		d.load(next, 2, y)
	} else {
		d.load(Mem{Base: from}, 0, x)
		d.load(next, 1, y)
	}
	u.VSHUFPS(Imm(0x88), y, x, even)
	u.VSHUFPS(Imm(0xdd), y, x, x)
	if q < 2*b.n {
		u.ADDQ(b.pitch, b.row)
	}
	return even, x
}

// eachOfTwo calls use for each of n outputs that reads row q of the input, with the row kh of weights that reads it.
// Outputs that are complete first come first.
func (d *depthKernel) eachOfTwo(n, q int, use func(i, kh int)) {
	for kh := 2; kh >= 0; kh-- {
		if i := (q - kh) / 2; q >= kh && (q-kh)%2 == 0 && i < n {
			use(i, kh)
		}
	}
}

// gradTwo adds a block's products of inputs and output gradients to the weights' gradients w.
func (d *depthKernel) gradTwo(b depthBlock, w []reg.VecVirtual) {
	u, n := d.unit, b.n
	rows := make([]rowTwo, n)
	for q := range 2*n + 1 {
		even, odd := d.pair(b, q)
		d.eachOfTwo(n, q, func(i, kh int) {
			r := &rows[i]
			if kh == 0 {
				*r = rowTwo{d.s.vec(u), d.s.vec(u)}
				for j, v := range []reg.VecVirtual{r.own, r.next} {
					d.load(Mem{Base: b.at, Disp: 4 * j}, stripStores+j, v)
					d.scrambled(v)
				}
				u.ADDQ(field(d.args, depthDstRow), b.at)
			}
			u.VFMADD231PS(odd, r.next, w[3*kh])
			u.VFMADD231PS(even, r.own, w[3*kh+1])
			u.VFMADD231PS(odd, r.own, w[3*kh+2])
		})
	}
	u.ADDQ(U32(2*n), b.iy)
}

// ordered sorts the lanes of a vector that pair has left out of order.
func (d *depthKernel) ordered(v reg.VecVirtual) {
	if d.s.evex {
		d.VPERMPS(v, d.order, v)
	} else {
		d.VPERMPD(Imm(0xd8), v, v)
	}
}

// scrambled is the inverse of ordered.
func (d *depthKernel) scrambled(v reg.VecVirtual) {
	if d.s.bytes == 64 {
		d.VPERMPS(v, d.back, v)
	} else {
		d.ordered(v) // for eight lanes, ordered is its own inverse
	}
}
