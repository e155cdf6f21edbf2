package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of streamArgs, in order.
const (
	streamDst = iota
	streamA
	streamB
	streamC
	streamN
	streamTable
	streamS
	streamT
	streamFloor
	streamM
)

// streamOp is an elementwise operation. It leaves its result in in[0]. in holds one vector of each input, k the
// broadcast constants.
type streamOp struct {
	name, doc string
	inputs    []int // as fields of streamArgs
	constants []int // as fields of streamArgs
	op        func(u unit, s isa, in, k []reg.VecVirtual)
}

var streamOps = []streamOp{
	{"add", "dst = a + b", []int{streamA, streamB}, nil, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VADDPS(in[1], in[0], in[0])
	}},
	{"mul", "dst = a * b", []int{streamA, streamB}, nil, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VMULPS(in[1], in[0], in[0])
	}},
	{"scale", "dst = s * a", []int{streamA}, []int{streamS}, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VMULPS(k[0], in[0], in[0])
	}},
	{"axpy", "dst += s * a", []int{streamDst, streamA}, []int{streamS}, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VFMADD231PS(k[0], in[1], in[0])
	}},
	// In this operand order, maximum and minimum of a NaN input are that NaN.
	{"affine", "dst = max(floor, s*a + t)", []int{streamA}, []int{streamS, streamT, streamFloor},
		func(u unit, s isa, in, k []reg.VecVirtual) {
			u.VFMADD213PS(k[1], k[0], in[0])
			u.VMAXPS(in[0], k[2], in[0])
		}},
	{"atLeast", "dst = max(floor, a)", []int{streamA}, []int{streamFloor}, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VMAXPS(in[0], k[0], in[0])
	}},
	{"atMost", "dst = min(b, a)", []int{streamA, streamB}, nil, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VMINPS(in[0], in[1], in[0])
	}},
	{"atMost1", "dst = min(s, a)", []int{streamA}, []int{streamS}, func(u unit, s isa, in, k []reg.VecVirtual) {
		u.VMINPS(in[0], k[0], in[0])
	}},
	{"larger", "dst = max(a, b), NaN if either is", []int{streamA, streamB}, nil,
		func(u unit, s isa, in, k []reg.VecVirtual) {
			// VMAXPS returns b where a or b is NaN, so NaNs of a must be put back.
			m := s.vec(u)
			u.VMAXPS(in[1], in[0], m)
			if s.bytes == 64 {
				nan := u.K()
				u.VCMPPS(Imm(3), in[0], in[0], nan)
				u.VMOVAPS(in[0], nan, m)
				u.VMOVAPS(m, in[0])
				return
			}
			nan := s.vec(u)
			u.VCMPPS(Imm(3), in[0], in[0], nan)
			u.VBLENDVPS(nan, in[0], m, in[0])
		}},
	{"whereAtMost", "dst = a where c <= b, zero elsewhere", []int{streamA, streamB, streamC}, nil,
		func(u unit, s isa, in, k []reg.VecVirtual) {
			u.keep(s, 0x12, in[1], in[2], in[0])
		}},
	{"whereAtMost1", "dst = a where c <= s, zero elsewhere", []int{streamA, streamC}, []int{streamS},
		func(u unit, s isa, in, k []reg.VecVirtual) {
			u.keep(s, 0x12, k[0], in[1], in[0])
		}},
	{"mix", "dst = b where a is s, c where a is t, c + a*(b-c) elsewhere, each step rounded",
		[]int{streamA, streamB, streamC}, []int{streamS, streamT},
		func(u unit, s isa, in, k []reg.VecVirtual) {
			m, p, r, y := in[0], in[1], in[2], s.vec(u)
			u.VSUBPS(r, p, y)
			u.VMULPS(y, m, y)
			u.VADDPS(y, r, y)
			u.choose(s, k[0], m, p, y)
			u.choose(s, k[1], m, r, y)
			u.VMOVAPS(y, in[0])
		}},
	{"normBack", "dst = s*a + (t*(b-m) + floor)", []int{streamA, streamB}, []int{streamS, streamT, streamM,
		streamFloor},
		func(u unit, s isa, in, k []reg.VecVirtual) {
			u.VSUBPS(k[2], in[1], in[1])
			u.VFMADD213PS(k[3], k[1], in[1])
			u.VFMADD213PS(in[1], k[0], in[0])
		}},
}

// keep zeroes the lanes of v for which the comparison of x with y is false.
func (u unit) keep(s isa, compare uint64, y, x, v reg.VecVirtual) {
	if s.bytes == 64 {
		k := u.K()
		u.VCMPPS(Imm(compare), y, x, k)
		u.VMOVAPS_Z(v, k, v)
		return
	}
	u.VCMPPS(Imm(compare), y, x, x)
	u.VANDPS(x, v, v)
}

// choose copies those lanes of from to to in which x equals y.
func (u unit) choose(s isa, y, x, from, to reg.VecVirtual) {
	if s.bytes == 64 {
		k := u.K()
		u.VCMPPS(Imm(0), y, x, k)
		u.VMOVAPS(from, k, to)
		return
	}
	equal := s.vec(u)
	u.VCMPPS(Imm(0), y, x, equal)
	u.VBLENDVPS(equal, from, to, to)
}

func streams(u unit, s isa) {
	for _, op := range streamOps {
		stream(u, s, op)
	}
}

func stream(u unit, s isa, op streamOp) {
	u.text(op.name+s.name, "streamArgs", "computes "+op.doc+".")
	args := u.args()
	base := map[int]reg.Register{streamDst: u.load64(args, streamDst)}
	for _, f := range op.inputs {
		if base[f] == nil {
			base[f] = u.load64(args, f)
		}
	}
	var k []reg.VecVirtual
	for _, f := range op.constants {
		v := s.vec(u)
		u.VBROADCASTSS(field(args, f), v)
		k = append(k, v)
	}
	i, n := u.GP64(), u.load64(args, streamN)
	u.XORQ(i, i)
	vl := s.bytes / 4
	const unroll = 2
	pass := func(disp int, load func(Mem, reg.VecVirtual), store func(reg.VecVirtual, Mem)) {
		at := func(f int) Mem { return Mem{Base: base[f], Index: i, Scale: 4, Disp: disp} }
		var in []reg.VecVirtual
		for _, f := range op.inputs {
			v := s.vec(u)
			load(at(f), v)
			in = append(in, v)
		}
		op.op(u, s, in, k)
		store(in[0], at(streamDst))
	}
	load := func(at Mem, v reg.VecVirtual) { u.VMOVUPS(at, v) }
	store := func(v reg.VecVirtual, at Mem) { u.VMOVUPS(v, at) }
	u.SUBQ(Imm(uint64(unroll*vl)), n)
	u.JL(LabelRef("short"))
	u.Label("whole")
	for j := range unroll {
		pass(j*s.bytes, load, store)
	}
	u.ADDQ(Imm(uint64(unroll*vl)), i)
	u.SUBQ(Imm(uint64(unroll*vl)), n)
	u.JGE(LabelRef("whole"))
	u.Label("short")
	u.ADDQ(Imm(uint64((unroll-1)*vl)), n)
	u.JL(LabelRef("tail"))
	pass(0, load, store)
	u.ADDQ(Imm(uint64(vl)), i)
	u.SUBQ(Imm(uint64(vl)), n)
	u.Label("tail")
	u.ADDQ(Imm(uint64(vl)), n)
	u.JZ(LabelRef("done"))
	m := u.newTailMask(s, n, u.load64(args, streamTable))
	pass(0, func(at Mem, v reg.VecVirtual) { u.loadTail(s, at, m, v) }, func(v reg.VecVirtual, at Mem) {
		if s.bytes == 64 {
			u.VMOVUPS(v, m.r, at)
		} else {
			u.VMASKMOVPS(v, m.r, at)
		}
	})
	u.Label("done")
	u.VZEROUPPER()
	u.RET()
}

// Fields of momentArgs, in order.
const (
	momentX = iota
	momentY
	momentN
	momentMean
	momentSum
	momentDot
)

// moments writes sums in float64 of sixteen lanes: of x, of (x-mean)², and of y together with y*(x-mean).
func moments(u unit, s isa) {
	for _, kind := range []string{"sum", "square", "grad"} {
		moment(u, s, kind)
	}
}

func moment(u unit, s isa, kind string) {
	doc := map[string]string{
		"sum":    "adds to sum the elements of x.",
		"square": "adds to sum the squares of x - mean.",
		"grad":   "adds to sum the elements of y and to dot those of y * (x - mean).",
	}[kind]
	u.text(kind+"64"+s.name, "momentArgs", doc)
	args := u.args()
	x, y := u.load64(args, momentX), u.load64(args, momentY)
	parts := 128 / s.bytes // vectors per sixteen float64 lanes
	sum, dot := s.vecs(u, parts), s.vecs(u, parts)
	if kind != "grad" {
		dot = nil
	}
	for _, v := range append(append([]reg.VecVirtual{}, sum...), dot...) {
		s.zero(u, v)
	}
	mean := s.vec(u)
	u.VBROADCASTSD(field(args, momentMean), mean)
	lanes := s.bytes / 8
	// widen loads one part of sixteen float32 as float64.
	widen := func(from Mem, part int) reg.VecVirtual {
		v := s.vec(u)
		from.Disp += part * lanes * 4
		u.VCVTPS2PD(from, v)
		return v
	}
	step := func(x, y Mem) {
		for p := range parts {
			switch kind {
			case "sum":
				u.VADDPD(widen(x, p), sum[p], sum[p])
			case "square":
				d := widen(x, p)
				u.VSUBPD(mean, d, d)
				u.VFMADD231PD(d, d, sum[p])
			case "grad":
				d, g := widen(x, p), widen(y, p)
				u.VSUBPD(mean, d, d)
				u.VADDPD(g, sum[p], sum[p])
				u.VFMADD231PD(g, d, dot[p])
			}
		}
	}
	i, n := u.GP64(), u.load64(args, momentN)
	u.XORQ(i, i)
	u.Label("whole")
	step(Mem{Base: x, Index: i, Scale: 4}, Mem{Base: y, Index: i, Scale: 4})
	u.ADDQ(Imm(16), i)
	u.CMPQ(i, n)
	u.JL(LabelRef("whole"))
	reduce := func(v []reg.VecVirtual, f int) {
		for len(v) > 1 {
			h := len(v) / 2
			for j := range h {
				u.VADDPD(v[j+h], v[j], v[j])
			}
			v = v[:h]
		}
		if s.bytes == 64 {
			h := u.YMM()
			u.VEXTRACTF64X4(Imm(1), v[0], h)
			u.VADDPD(h, v[0].AsY(), v[0].AsY())
		}
		h := u.XMM()
		u.VEXTRACTF128(Imm(1), v[0].AsY(), h)
		u.VADDPD(h, v[0].AsX(), v[0].AsX())
		u.VHADDPD(v[0].AsX(), v[0].AsX(), v[0].AsX())
		u.VADDSD(field(args, f), v[0].AsX(), v[0].AsX())
		u.VMOVSD(v[0].AsX(), field(args, f))
	}
	reduce(sum, momentSum)
	if dot != nil {
		reduce(dot, momentDot)
	}
	u.VZEROUPPER()
	u.RET()
}
