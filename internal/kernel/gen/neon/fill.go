package neon

// Fields of panelArgs, in order.
const (
	panelDst = iota
	panelSrc
	panelStride
	panelK
	panelScale
	panelShift
	panelFloor
	panelCols
)

// affine leaves max(floor, a*x + b) in x; t holds two registers that it overwrites.
func (f *file) affine(x, a, b, floor vec, t [2]vec) {
	f.move(b, t[0])
	f.three(opFMla, t[0], x, a)
	f.three(opFCmGt, t[1], floor, t[0])
	f.move(t[0], x)
	f.three(opBit, x, floor, t[1])
}

// panel writes dst[k][two vectors] = max(floor, scale[k]*src[k]+shift[k]) for args.cols columns. Further columns are
// read as zeros.
func panel(f *file) {
	f.text("panelNEON", "panelArgs", "packs the columns of one register tile.")
	const dst, src, stride, k, scale, shift, cols, t, second = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6), reg(7),
		reg(8), reg(9)
	const a, b, floor = vec(16), vec(17), vec(18)
	f.load(dst, panelDst)
	f.load(src, panelSrc)
	f.load(stride, panelStride)
	f.load(k, panelK)
	f.load(scale, panelScale)
	f.load(shift, panelShift)
	f.load(cols, panelCols)
	f.broadcast(floor, panelFloor, t)
	body := func(name string, load func()) {
		f.place(name)
		f.broadcastNext(a, scale)
		f.broadcastNext(b, shift)
		load()
		f.affine(0, a, b, floor, [2]vec{2, 3})
		f.affine(1, a, b, floor, [2]vec{4, 5})
		f.storeNext(dst, 0, 1)
		f.op("ADD %v, %v, %v", stride, src, src)
		f.op("SUBS $1, %v, %v", k, k)
		f.op("BNE %s", name)
		f.ret()
	}
	f.op("CMP $8, %v", cols)
	f.op("BLT partial")
	body("whole", func() {
		f.loadAt(0, src, 0)
		f.loadAt(1, src, 16)
	})
	f.place("partial")
	f.op("CMP $4, %v", cols)
	f.op("BLT short")
	f.op("AND $3, %v, %v", cols, cols)
	body("one", func() {
		empty := f.label()
		f.loadAt(0, src, 0)
		f.zero(1)
		f.op("CBZ %v, %s", cols, empty)
		f.op("ADD $16, %v, %v", src, second)
		f.loadPart(1, second, cols, t)
		f.place(empty)
	})
	f.place("short")
	body("none", func() {
		f.loadPart(0, src, cols, t)
		f.zero(1)
	})
}

// Fields of rowsArgs, in order.
const (
	rowsDst = iota
	rowsDstStride
	rowsSrc
	rowsSrcStride
	rowsRows
	rowsValid
	rowsGap
	rowsScale
	rowsShift
	rowsFloor
	_
	rowsChannels
	rowsDstChannel
	rowsSrcChannel
	rowsLead
	rowsTrail
)

// rows copies args.rows rows of args.valid columns of each channel, taking every step-th column of the source, as
// max(floor, scale*x+shift). It writes args.gap zeros behind each row, args.lead zeros in front of the first row and
// args.trail zeros behind the last row. Rows are written in ascending order, because a write may reach up to one vector
// too far.
func rows(f *file, step int) {
	name := "rowsNEON"
	if step == 2 {
		name = "rowsStep2NEON"
	}
	f.text(name, "rowsArgs", "copies rows into a padded plane.")
	const dst, src, scale, shift, channels, d, s, n, row, from, left, t, v = reg(1), reg(2), reg(3), reg(4), reg(5),
		reg(6), reg(7), reg(8), reg(9), reg(10), reg(11), reg(12), reg(13)
	const a, b, floor, zero = vec(16), vec(17), vec(18), vec(19)
	f.broadcast(floor, rowsFloor, t)
	f.zero(zero)
	f.load(dst, rowsDst)
	f.load(src, rowsSrc)
	f.load(scale, rowsScale)
	f.load(shift, rowsShift)
	f.load(channels, rowsChannels)
	// zeros writes n zeros, if n > 0, from d on.
	zeros := func(next string) {
		loop := f.label()
		f.op("CMP $0, %v", n)
		f.op("BLE %s", next)
		f.place(loop)
		f.storeNext(d, zero)
		f.op("SUBS $4, %v, %v", n, n)
		f.op("BGT %s", loop)
	}
	f.place("channel")
	f.broadcastNext(a, scale)
	f.broadcastNext(b, shift)
	f.op("MOVD %v, %v", dst, d)
	f.load(n, rowsLead)
	f.op("ADD %v<<2, %v, %v", n, dst, row)
	zeros("rows")
	f.place("rows")
	f.op("MOVD %v, %v", src, from)
	f.load(left, rowsRows)
	f.place("row")
	f.op("MOVD %v, %v", row, d)
	f.op("MOVD %v, %v", from, s)
	f.load(v, rowsValid)
	if step == 1 {
		f.op("SUBS $8, %v, %v", v, v)
		f.op("BLT four")
		f.place("eight")
		f.loadNext(s, 0, 1)
		f.affine(0, a, b, floor, [2]vec{2, 3})
		f.affine(1, a, b, floor, [2]vec{4, 5})
		f.storeNext(d, 0, 1)
		f.op("SUBS $8, %v, %v", v, v)
		f.op("BGE eight")
		f.place("four")
		f.op("TBZ $2, %v, tail", v)
		f.loadNext(s, 0)
		f.affine(0, a, b, floor, [2]vec{2, 3})
		f.storeNext(d, 0)
		f.place("tail")
		f.op("ANDS $3, %v, %v", v, v)
		f.op("BEQ gap")
		f.loadPart(0, s, v, t)
	} else {
		// A load of eight elements reads one more than the four outputs need, so it must not be the last.
		f.op("SUBS $5, %v, %v", v, v)
		f.op("BLT few")
		f.place("four")
		f.op("VLD2.P 32(%v), [%s, %s]", s, vec(0).s4(), vec(1).s4())
		f.affine(0, a, b, floor, [2]vec{2, 3})
		f.storeNext(d, 0)
		f.op("SUBS $4, %v, %v", v, v)
		f.op("BGE four")
		f.place("few") // between -4 and -1 for one to four that are left
		f.op("FMOVS (%v), %s", s, vec(0).scalar())
		for lane := 1; lane < 4; lane++ {
			f.op("CMP $%d, %v", lane-4, v)
			f.op("BLT last")
			f.op("ADD $8, %v, %v", s, s)
			f.op("VLD1 (%v), V0.S[%d]", s, lane)
		}
		f.place("last")
	}
	f.affine(0, a, b, floor, [2]vec{2, 3})
	f.storeAt(0, d, 0)
	f.place("gap")
	f.load(n, rowsValid)
	f.op("ADD %v<<2, %v, %v", n, row, d)
	f.load(n, rowsGap)
	zeros("next")
	f.place("next")
	f.load(t, rowsDstStride)
	f.op("ADD %v, %v, %v", t, row, row)
	f.load(t, rowsSrcStride)
	f.op("ADD %v, %v, %v", t, from, from)
	f.op("SUBS $1, %v, %v", left, left)
	f.op("BNE row")
	f.op("MOVD %v, %v", row, d)
	f.load(n, rowsTrail)
	zeros("end")
	f.place("end")
	f.load(t, rowsDstChannel)
	f.op("ADD %v, %v, %v", t, dst, dst)
	f.load(t, rowsSrcChannel)
	f.op("ADD %v, %v, %v", t, src, src)
	f.op("SUBS $1, %v, %v", channels, channels)
	f.op("BNE channel")
	f.ret()
}

// Fields of braidArgs, in order.
const (
	braidDst = iota
	braidStride
	braidN
	braidSrc // eight pointers
)

// quarter transposes four vectors: v[i] lane j becomes lane i of v[j]. t holds four registers that it overwrites.
func (f *file) quarter(v, t [4]vec) {
	for i := range 2 {
		f.op("VZIP1 %s, %s, %s", v[i+2].s4(), v[i].s4(), t[2*i].s4())
		f.op("VZIP2 %s, %s, %s", v[i+2].s4(), v[i].s4(), t[2*i+1].s4())
	}
	for i := range 2 {
		f.op("VZIP1 %s, %s, %s", t[2+i].s4(), t[i].s4(), v[2*i].s4())
		f.op("VZIP2 %s, %s, %s", t[2+i].s4(), t[i].s4(), v[2*i+1].s4())
	}
}

// braid interleaves eight rows, four columns at a time, and writes eight lanes per column.
func braid(f *file) {
	f.text("braidNEON", "braidArgs", "puts eight rows side by side.")
	const dst, stride, n = reg(1), reg(2), reg(3)
	src := []reg{4, 5, 6, 7, 8, 9, 10, 11}
	f.load(dst, braidDst)
	f.load(stride, braidStride)
	f.load(n, braidN)
	for i, r := range src {
		f.load(r, braidSrc+i)
	}
	f.place("four")
	for i, r := range src {
		f.loadNext(r, vec(i))
	}
	f.quarter([4]vec{0, 1, 2, 3}, [4]vec{16, 17, 18, 19})
	f.quarter([4]vec{4, 5, 6, 7}, [4]vec{16, 17, 18, 19})
	for i := range 4 {
		f.storeAt(vec(i), dst, 0)
		f.storeAt(vec(4+i), dst, 16)
		f.op("ADD %v, %v, %v", stride, dst, dst)
	}
	f.op("SUBS $4, %v, %v", n, n)
	f.op("BNE four")
	f.ret()
}
