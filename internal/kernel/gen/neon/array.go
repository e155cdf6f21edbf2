package neon

func arrays(f *file) {
	transpose8(f)
	expSum(f)
	extreme(f)
	gate(f)
	pool2(f)
	selectBits(f)
}

// Fields of transposeArgs, in order.
const (
	transposeDst = iota
	transposeDstStride
	transposeSrc
	transposeSrcStride
	transposeBlocks
)

// transpose8 writes dst[i][j] = src[j][i] for eight rows i and eight columns j per block.
func transpose8(f *file) {
	f.text("transpose8NEON", "transposeArgs", "writes eight columns of src as rows of dst.")
	const dst, dstStride, src, srcStride, n, to = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6)
	f.load(dst, transposeDst)
	f.load(dstStride, transposeDstStride)
	f.load(src, transposeSrc)
	f.load(srcStride, transposeSrcStride)
	f.load(n, transposeBlocks)
	f.place("block")
	for i := range 8 { // vectors 2*i and 2*i+1 hold row i of src
		f.loadAt(vec(2*i), src, 0)
		f.loadAt(vec(2*i+1), src, 16)
		f.op("ADD %v, %v, %v", srcStride, src, src)
	}
	t := [4]vec{16, 17, 18, 19}
	for half := range vec(2) {
		f.quarter([4]vec{half, 2 + half, 4 + half, 6 + half}, t)
		f.quarter([4]vec{8 + half, 10 + half, 12 + half, 14 + half}, t)
	}
	f.op("MOVD %v, %v", dst, to)
	for i := range 8 {
		left := vec(2*(i%4) + i/4)
		f.storeAt(left, to, 0)
		f.storeAt(left+8, to, 16)
		f.op("ADD %v, %v, %v", dstStride, to, to)
	}
	f.op("ADD $32, %v, %v", dst, dst)
	f.op("SUBS $1, %v, %v", n, n)
	f.op("BNE block")
	f.ret()
}

// Fields of expArgs, in order.
const (
	expDst = iota
	expSrc
	expN
	expMax
	expSumOut
	expTable
	expLanes
)

// Rows of the table of constants, of 32 bytes each.
const (
	expLeast = iota
	expLog2e
	expLn2High
	expLn2Low
	expTaylor // 1/7!, 1/6!, ..., 1/0!
)

// expSum writes exp(src - max), or zero where the argument is below the table's least, and the sum of all results,
// which is that of eight lanes.
func expSum(f *file) {
	f.text("expSumNEON", "expArgs", "computes exponentials and their sum.")
	const dst, src, n, table, t = reg(1), reg(2), reg(3), reg(4), reg(5)
	const most, sum = vec(28), vec(30)
	constant := func(i int) vec { return vec(8 + i) }
	f.load(dst, expDst)
	f.load(src, expSrc)
	f.load(n, expN)
	f.broadcast(most, expMax, t)
	f.load(table, expTable)
	for i := range expTaylor + 8 {
		f.loadAt(constant(i), table, 32*i)
	}
	f.zero(sum)
	f.zero(sum + 1)
	// exp replaces x by its exponential.
	exp := func(x vec) {
		const k, p, drop = vec(4), vec(5), vec(6)
		f.three(opFSub, x, x, most)
		f.three(opFCmGt, drop, constant(expLeast), x) // false for NaN, which stays
		f.three(opBit, x, constant(expLeast), drop)
		f.three(opFMul, k, x, constant(expLog2e))
		f.two(opFRintN, k, k)
		f.three(opFMls, x, k, constant(expLn2High))
		f.three(opFMls, x, k, constant(expLn2Low))
		f.move(constant(expTaylor), p)
		for i := 1; i <= 7; i++ { // p = p*x + the next coefficient
			q := []vec{7, p}[i%2^1]
			last := []vec{7, p}[i%2]
			f.move(constant(expTaylor+i), q)
			f.three(opFMla, q, last, x)
		}
		f.two(opFCvtNS, k, k)
		f.op("VSHL $23, %s, %s", k.s4(), k.s4())
		f.op("VADD %s, %s, %s", k.s4(), vec(7).s4(), p.s4())
		f.three(opBic, x, p, drop)
	}
	f.op("SUBS $8, %v, %v", n, n)
	f.op("BLT four")
	f.place("eight")
	f.loadNext(src, 0, 1)
	for v := range vec(2) {
		exp(v)
		f.three(opFAdd, sum+v, sum+v, v)
	}
	f.storeNext(dst, 0, 1)
	f.op("SUBS $8, %v, %v", n, n)
	f.op("BGE eight")
	f.place("four")
	f.op("TBZ $2, %v, rest", n)
	f.loadNext(src, 0)
	exp(0)
	f.three(opFAdd, sum, sum, 0)
	f.storeNext(dst, 0)
	f.place("rest")
	f.op("ANDS $3, %v, %v", n, t)
	f.op("BEQ done")
	f.loadPart(0, src, n, t)
	exp(0)
	f.storePart(0, dst, n, t)
	// Lanes behind the last element must not count. The table of lanes has ones up to byte 64, then zeros.
	f.load(table, expLanes)
	f.op("AND $3, %v, %v", n, t)
	f.op("SUB %v<<2, %v, %v", t, table, table)
	f.loadAt(1, table, 64)
	f.three(opAnd, 0, 0, 1)
	// The rest belongs to the upper four lanes where four elements went to the lower ones.
	f.op("TBZ $2, %v, lower", n)
	f.three(opFAdd, sum+1, sum+1, 0)
	f.op("B done")
	f.place("lower")
	f.three(opFAdd, sum, sum, 0)
	f.place("done")
	f.three(opFAdd, sum, sum, sum+1)
	f.three(opFAddP, sum, sum, sum)
	f.three(opFAddP, sum, sum, sum)
	f.op("FMOVS %s, %d(R0)", sum.scalar(), 8*expSumOut)
	f.ret()
}

// Fields of extremeArgs, in order.
const (
	extremeSrc = iota
	extremeN
	_
	extremeSign
	extremeLeast
	extremeOut
)

// extreme finds the largest element after flipping the bits in sign of every element, and flips the result back. The
// result is NaN if an element is.
func extreme(f *file) {
	f.text("extremeNEON", "extremeArgs", "finds the largest element, or the smallest.")
	const src, n, t = reg(1), reg(2), reg(3)
	const sign, least, numbers = vec(16), vec(17), vec(18)
	most := func(i int) vec { return vec(20 + i) }
	f.load(src, extremeSrc)
	f.load(n, extremeN)
	f.broadcast(sign, extremeSign, t)
	f.broadcast(least, extremeLeast, t)
	for i := range 4 {
		f.move(least, most(i))
	}
	f.three(opFCmEq, numbers, least, least) // all ones
	// keep leaves the larger of v and most, v where they are equal or v is NaN.
	keep := func(v, most vec) {
		f.three(opFCmGt, 5, most, v)
		f.three(opBif, most, v, 5)
	}
	take := func(v, most vec) {
		f.three(opFCmEq, 4, v, v)
		f.three(opAnd, numbers, numbers, 4)
		f.three(opEor, v, v, sign)
		keep(v, most)
	}
	f.op("SUBS $16, %v, %v", n, n)
	f.op("BLT short")
	f.place("whole")
	f.loadNext(src, 0, 1, 2, 3)
	for i := range 4 {
		take(vec(i), most(i))
	}
	f.op("SUBS $16, %v, %v", n, n)
	f.op("BGE whole")
	f.place("short")
	f.op("TBZ $3, %v, four", n)
	f.loadNext(src, 0, 1)
	take(0, most(0))
	take(1, most(1))
	f.place("four")
	f.op("TBZ $2, %v, tail", n)
	f.loadNext(src, 0)
	take(0, most(2))
	f.place("tail")
	f.op("ANDS $3, %v, %v", n, n)
	f.op("BEQ done")
	f.place("one")
	f.op("VLD1R.P 4(%v), [V0.S4]", src)
	take(0, most(3))
	f.op("SUBS $1, %v, %v", n, n)
	f.op("BNE one")
	f.place("done")
	keep(most(2), most(0))
	keep(most(3), most(1))
	keep(most(1), most(0))
	f.op("VEXT $8, %s, %s, V0.B16", most(0).b16(), most(0).b16())
	keep(0, most(0))
	f.op("VEXT $4, %s, %s, V0.B16", most(0).b16(), most(0).b16())
	keep(0, most(0))
	f.three(opEor, most(0), most(0), sign)
	f.op("FMOVS %s, %d(R0)", most(0).scalar(), 8*extremeOut)
	f.op("VMOV V%d.D[0], R4", int(numbers))
	f.op("VMOV V%d.D[1], R5", int(numbers))
	f.op("AND R4, R5, R4")
	f.op("CMN $1, R4")
	f.op("BEQ number")
	f.op("MOVW $0x7fc00000, R4")
	f.op("MOVW R4, %d(R0)", 8*extremeOut)
	f.place("number")
	f.ret()
}

// Fields of gateArgs, in order.
const (
	gateDst = iota
	gateDstStride
	gateGrad
	gateGradStride
	gateX
	gateXStride
	gateRows
	gateCols
	gateMul
	gateScale
	gateShift
	gateStep
	_
	gateAccumulate
)

// gate writes dst[r][i] = mul[r]*grad[r][i] where scale[r]*x[r][i]+shift[r] > 0 and zero elsewhere, or adds that to
// dst.
func gate(f *file) {
	f.text("gateNEON", "gateArgs", "passes a gradient where a ReLU was open.")
	const dst, grad, x, mul, scale, shift = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6)
	const step, rows, acc, n, t = reg(7), reg(8), reg(9), reg(10), reg(11)
	to, from, at := reg(12), reg(13), reg(14) // in a row
	const m, a, b = vec(16), vec(17), vec(18)
	for _, l := range []struct {
		r     reg
		field int
	}{{dst, gateDst}, {grad, gateGrad}, {x, gateX}, {rows, gateRows}, {mul, gateMul}, {scale, gateScale},
		{shift, gateShift}, {step, gateStep}, {acc, gateAccumulate}} {
		f.load(l.r, l.field)
	}
	pass := func(load func(v vec, r reg)) {
		store := f.label()
		load(0, at)
		load(1, from)
		f.three(opFMul, 1, 1, m)
		f.move(b, 2)
		f.three(opFMla, 2, 0, a)
		f.two(opFCmGtZero, 2, 2)
		f.three(opAnd, 1, 1, 2)
		f.op("CBZ %v, %s", acc, store)
		load(3, to)
		f.three(opFAdd, 1, 1, 3)
		f.place(store)
	}
	f.place("row")
	f.broadcastAt(m, mul)
	f.broadcastAt(a, scale)
	f.broadcastAt(b, shift)
	f.op("MOVD %v, %v", dst, to)
	f.op("MOVD %v, %v", grad, from)
	f.op("MOVD %v, %v", x, at)
	f.load(n, gateCols)
	f.op("SUBS $4, %v, %v", n, n)
	f.op("BLT tail")
	f.place("whole")
	pass(func(v vec, r reg) { f.loadAt(v, r, 0) })
	f.storeNext(to, 1)
	f.op("ADD $16, %v, %v", from, from)
	f.op("ADD $16, %v, %v", at, at)
	f.op("SUBS $4, %v, %v", n, n)
	f.op("BGE whole")
	f.place("tail")
	f.op("ANDS $3, %v, %v", n, n)
	f.op("BEQ next")
	pass(func(v vec, r reg) { f.loadPart(v, r, n, t) })
	f.storePart(1, to, n, t)
	f.place("next")
	for _, r := range []reg{mul, scale, shift} {
		f.op("ADD %v, %v, %v", step, r, r)
	}
	for i, r := range []reg{dst, grad, x} {
		f.load(t, gateDstStride+2*i)
		f.op("ADD %v, %v, %v", t, r, r)
	}
	f.op("SUBS $1, %v, %v", rows, rows)
	f.op("BNE row")
	f.ret()
}

// Fields of pool2Args, in order.
const (
	poolDst = iota
	poolSrc
	poolSrcRow
	poolRows
	poolCols
)

// pool2 writes the means of 2x2 windows, for full vectors of windows. The caller computes the columns beyond these.
func pool2(f *file) {
	f.text("pool2NEON", "pool2Args", "averages windows of two rows and two columns.")
	const dst, src, pitch, rows, cols, top, bottom, to, n = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6), reg(7),
		reg(8), reg(9)
	const quarter = vec(16)
	f.load(dst, poolDst)
	f.load(src, poolSrc)
	f.load(pitch, poolSrcRow)
	f.load(rows, poolRows)
	f.load(cols, poolCols)
	f.op("MOVW $0x3e800000, R10") // 0.25
	f.op("VDUP R10, %s", quarter.s4())
	f.place("row")
	f.op("MOVD %v, %v", src, top)
	f.op("ADD %v, %v, %v", pitch, src, bottom)
	f.op("MOVD %v, %v", dst, to)
	f.op("SUBS $4, %v, %v", cols, n)
	f.op("BLT next")
	f.place("whole")
	f.op("VLD2.P 32(%v), [V0.S4, V1.S4]", top)
	f.op("VLD2.P 32(%v), [V2.S4, V3.S4]", bottom)
	for v := vec(1); v < 4; v++ {
		f.three(opFAdd, 0, 0, v)
	}
	f.three(opFMul, 0, 0, quarter)
	f.storeNext(to, 0)
	f.op("SUBS $4, %v, %v", n, n)
	f.op("BGE whole")
	f.place("next")
	f.op("ADD %v<<1, %v, %v", pitch, src, src)
	f.op("ADD %v<<2, %v, %v", cols, dst, dst)
	f.op("SUBS $1, %v, %v", rows, rows)
	f.op("BNE row")
	f.ret()
}

// Fields of selectArgs, in order.
const (
	selectDst = iota
	selectOn
	selectOff
	selectBitsAt
	selectN
	selectTable
)

// selectBits writes n elements, a multiple of sixteen: those of on where a bit is set, those of off elsewhere.
func selectBits(f *file) {
	f.text("selectNEON", "selectArgs", "chooses between two vectors by bits.")
	const dst, on, off, bits, n, table, t = reg(1), reg(2), reg(3), reg(4), reg(5), reg(6), reg(7)
	for i, r := range []reg{dst, on, off, bits, n, table} {
		f.load(r, selectDst+i)
	}
	f.place("next")
	f.op("MOVBU.P 1(%v), %v", bits, t)
	f.op("ADD %v<<5, %v, %v", t, table, t)
	f.loadNext(t, 0, 1)
	f.loadNext(on, 2, 3)
	f.loadNext(off, 4, 5)
	f.three(opBsl, 0, 2, 4)
	f.three(opBsl, 1, 3, 5)
	f.storeNext(dst, 0, 1)
	f.op("SUBS $8, %v, %v", n, n)
	f.op("BNE next")
	f.ret()
}
