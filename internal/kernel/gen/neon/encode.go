package neon

import "fmt"

// word writes an instruction as a word, with its text as a comment.
func (f *file) word(code uint32, format string, a ...any) {
	w := word{code, fmt.Sprintf(format, a...)}
	*f.words = append(*f.words, w)
	fmt.Fprintf(f, "\tWORD $0x%08x // %s\n", w.code, w.text)
}

// Instructions on three vectors, dst = n op m, by the Arm Architecture Reference Manual's section C7.2. The bit double
// makes lanes of 64 bits of those on four lanes of 32.
const (
	opFAdd   = 0x4e20d400
	opFSub   = 0x4ea0d400
	opFMul   = 0x6e20dc00
	opFDiv   = 0x6e20fc00
	opFMla   = 0x4e20cc00 // dst += n*m in one rounding
	opFMls   = 0x4ea0cc00 // dst -= n*m in one rounding
	opFAddP  = 0x6e20d400 // sums of neighbours, those of n first
	opFCmEq  = 0x4e20e400 // all bits of a lane where n = m, none elsewhere
	opFCmGe  = 0x6e20e400
	opFCmGt  = 0x6ea0e400
	opSMull  = 0x0e60c000 // products of the lower four int16
	opSMull2 = 0x4e60c000 // products of the upper four int16
	opAddP   = 0x4ea0bc00 // sums of neighbours of int32, those of n first
	opBic    = 0x4e601c00 // n and not m
	opAnd    = 0x4e201c00
	opOrr    = 0x4ea01c00
	opOrn    = 0x4ee01c00 // n or not m
	opEor    = 0x6e201c00
	opBit    = 0x6ea01c00 // dst = n where m has ones
	opBif    = 0x6ee01c00 // dst = n where m has zeros
	opBsl    = 0x6e601c00 // dst = n where dst has ones, m where it has zeros
	double   = 1 << 22
)

var threeNames = map[uint32]string{
	opFAdd: "fadd", opFSub: "fsub", opFMul: "fmul", opFDiv: "fdiv", opFMla: "fmla", opFMls: "fmls", opFAddP: "faddp",
	opSMull: "smull", opSMull2: "smull2", opAddP: "addp",
	opFCmEq: "fcmeq", opFCmGe: "fcmge", opFCmGt: "fcmgt", opBic: "bic", opAnd: "and", opOrr: "orr", opOrn: "orn",
	opEor: "eor",
	opBit: "bit", opBif: "bif", opBsl: "bsl",
}

// three writes dst = n op m.
func (f *file) three(op uint32, dst, n, m vec) {
	lanes, name := "4s", threeNames[op]
	switch {
	case op&0xff00 == opAnd&0xff00: // operations on bits
		lanes = "16b"
	case name == "":
		lanes, name = "2d", threeNames[op&^double]
	}
	if half, ok := map[uint32]string{opSMull: "4h", opSMull2: "8h"}[op]; ok {
		f.word(op|uint32(m)<<16|uint32(n)<<5|uint32(dst), "%s v%d.4s, v%d.%s, v%d.%s", name, dst, n, half, m, half)
		return
	}
	f.word(op|uint32(m)<<16|uint32(n)<<5|uint32(dst), "%s v%d.%s, v%d.%s, v%d.%s", name, dst, lanes, n, lanes, m, lanes)
}

// Instructions on two vectors, dst = op n.
const (
	opFCmLtZero = 0x4ea0e800 // all bits of a lane where n < 0
	opFCmGtZero = 0x4ea0c800 // all bits of a lane where n > 0
	opCmLtZero  = 0x4ea0a800 // all bits of a lane whose sign bit is set
	opSShr1     = 0x4f3f0400 // half, as an integer rounded down
	opFNeg      = 0x6ea0f800
	opFAbs      = 0x4ea0f800
	opFSqrt     = 0x6ea1f800
	opFRintN    = 0x4e218800 // to the nearest integer, ties to even
	opFRintM    = 0x4e219800 // down
	opFRintP    = 0x4ea18800 // up
	opFCvtNS    = 0x4e21a800 // to int32, ties to even
	opSCvtF     = 0x4e21d800 // from int32
	opFCvtL     = 0x0e617800 // the lower two floats to float64
	opFCvtL2    = 0x4e617800 // the upper two floats to float64
)

var twoTexts = map[uint32]string{
	opFCmLtZero: "fcmlt v%d.4s, v%d.4s, #0.0", opFCmGtZero: "fcmgt v%d.4s, v%d.4s, #0.0",
	opCmLtZero: "cmlt v%d.4s, v%d.4s, #0",
	opSShr1:    "sshr v%d.4s, v%d.4s, #1", opFNeg: "fneg v%d.4s, v%d.4s",
	opFAbs: "fabs v%d.4s, v%d.4s", opFSqrt: "fsqrt v%d.4s, v%d.4s", opFRintN: "frintn v%d.4s, v%d.4s",
	opFRintM: "frintm v%d.4s, v%d.4s", opFRintP: "frintp v%d.4s, v%d.4s", opFCvtNS: "fcvtns v%d.4s, v%d.4s",
	opSCvtF: "scvtf v%d.4s, v%d.4s", opFCvtL: "fcvtl v%d.2d, v%d.2s", opFCvtL2: "fcvtl2 v%d.2d, v%d.4s",
}

// two writes dst = op n.
func (f *file) two(op uint32, dst, n vec) {
	f.word(op|uint32(n)<<5|uint32(dst), twoTexts[op], dst, n)
}

// fmlaLane writes dst += n * m[lane], in one rounding.
func (f *file) fmlaLane(dst, n, m vec, lane int) {
	code := 0x4f801000 | uint32(lane&1)<<21 | uint32(lane>>1)<<11 | uint32(m)<<16 | uint32(n)<<5 | uint32(dst)
	f.word(code, "fmla v%d.4s, v%d.4s, v%d.s[%d]", dst, n, m, lane)
}

// least leaves v where it is at most most, which is tested by v > most, and most elsewhere. So NaN and the zeros stay
// what they are, as with the instructions of amd64. t is overwritten.
func (f *file) least(v, most, t vec) {
	f.three(opFCmGt, t, v, most)
	f.three(opBit, v, most, t)
}

// most leaves v where it is at least floor, and floor elsewhere; see least.
func (f *file) most(v, floor, t vec) {
	f.three(opFCmGt, t, floor, v)
	f.three(opBit, v, floor, t)
}
