package main

import (
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Fields of unaryArgs, in order.
const (
	unaryDst = iota
	unarySrc
	unaryGrad
	unaryN
	unaryLanes
	unaryConstants
	unaryP // the first of three parameters
)

// Vectors of the table unaryConstants, in order.
const (
	cZero = iota
	cOne
	cTwo
	cFour
	cHalf
	cThree
	cSixth
	cThird
	cLog2e
	cMagic
	cLn2Hi
	cLn2Lo
	cAbs
	cSign
	cExpLow
	cExpHigh
	cExpm1Low
	cMishHigh
	cGELUHigh
	cErfSmall
	cSqrt2
	cInvSqrt2Pi
	cTanhScale
	cTanhCube
	cTanhCube3
	cExpPoly
	cLog1pPoly = cExpPoly + expTerms
	cTailPoly  = cLog1pPoly + log1pTerms
	cErfPoly   = cTailPoly + tailTerms

	expTerms, log1pTerms, tailTerms, erfTerms = 5, 4, 8, 5
)

// Comparisons that do not signal on NaN.
const (
	less         = 0x11
	lessEqual    = 0x12
	notEqual     = 4 // true for NaN
	greaterEqual = 0x1d
	greater      = 0x1e
)

type vec = reg.VecVirtual

// unaryCode writes elementwise functions for AVX2. Its methods do not change their arguments and return new registers.
type unaryCode struct {
	u         unit
	constants reg.GPVirtual
	p         [3]vec
}

func (g unaryCode) at(c int) Mem { return Mem{Base: g.constants, Disp: 32 * c} }

func (g unaryCode) load(c int) vec {
	v := g.u.YMM()
	g.u.VMOVUPS(g.at(c), v)
	return v
}

// two writes an instruction with two sources, of which the second may be in memory.
func (g unaryCode) two(f func(ops ...Op), a vec, b Op) vec {
	v := g.u.YMM()
	f(b, a, v)
	return v
}

func (g unaryCode) mul(a vec, b Op) vec { return g.two(g.u.VMULPS, a, b) }
func (g unaryCode) add(a vec, b Op) vec { return g.two(g.u.VADDPS, a, b) }
func (g unaryCode) sub(a vec, b Op) vec { return g.two(g.u.VSUBPS, a, b) }
func (g unaryCode) div(a vec, b Op) vec { return g.two(g.u.VDIVPS, a, b) }
func (g unaryCode) and(a vec, b Op) vec { return g.two(g.u.VANDPS, a, b) }
func (g unaryCode) or(a vec, b Op) vec  { return g.two(g.u.VORPS, a, b) }
func (g unaryCode) xor(a vec, b Op) vec { return g.two(g.u.VXORPS, a, b) }

// clear returns v where the mask is not set, and zero elsewhere.
func (g unaryCode) clear(mask, v vec) vec { return g.two(g.u.VANDNPS, mask, v) }

// max and min return x where x is NaN.
func (g unaryCode) max(lo, x vec) vec { return g.two(g.u.VMAXPS, lo, x) }
func (g unaryCode) min(hi, x vec) vec { return g.two(g.u.VMINPS, hi, x) }

// compare returns the mask of the comparison how of a with b.
func (g unaryCode) compare(how uint64, a vec, b Op) vec {
	v := g.u.YMM()
	g.u.VCMPPS(Imm(how), b, a, v)
	return v
}

// choose returns yes where the sign bit of mask is set, and no elsewhere.
func (g unaryCode) choose(mask vec, yes Op, no vec) vec {
	v := g.u.YMM()
	g.u.VBLENDVPS(mask, yes, no, v)
	return v
}

func (g unaryCode) abs(x vec) vec         { return g.and(x, g.at(cAbs)) }
func (g unaryCode) negativeAbs(x vec) vec { return g.or(x, g.at(cSign)) }

// withSign returns x, which must not be negative, with the sign of s.
func (g unaryCode) withSign(x, s vec) vec { return g.or(g.and(s, g.at(cSign)), x) }

func (g unaryCode) horner(x vec, c, terms int) vec {
	s := g.add(g.mul(x, g.at(c+terms-1)), g.at(c+terms-2))
	for i := terms - 3; i >= 0; i-- {
		s = g.add(g.mul(s, x), g.at(c+i))
	}
	return s
}

// expParts returns p = e^r-1 and t, whose low bits are n, for y = n·log 2 + r.
func (g unaryCode) expParts(y vec) (p, t vec) {
	t = g.add(g.mul(y, g.at(cLog2e)), g.at(cMagic))
	n := g.sub(t, g.at(cMagic))
	r := g.sub(y, g.mul(n, g.at(cLn2Hi)))
	r = g.sub(r, g.mul(n, g.at(cLn2Lo)))
	return g.add(r, g.mul(g.mul(r, r), g.horner(r, cExpPoly, expTerms))), t
}

func (g unaryCode) pow2(n vec) vec {
	v := g.u.YMM()
	g.u.VPSLLD(Imm(23), n, v)
	g.u.VPADDD(g.at(cOne), v, v)
	return v
}

// expBelow returns e^y for y < 88.
func (g unaryCode) expBelow(y vec) vec {
	p, n := g.expParts(g.max(g.load(cExpLow), y))
	half := g.u.YMM()
	g.u.VPSUBD(g.at(cMagic), n, n)
	g.u.VPSRAD(Imm(1), n, half)
	g.u.VPSUBD(half, n, n)
	return g.mul(g.mul(g.add(p, g.at(cOne)), g.pow2(half)), g.pow2(n))
}

// expm1Below returns e^y-1 for y < 88.
func (g unaryCode) expm1Below(y vec) vec {
	p, t := g.expParts(g.max(g.load(cExpm1Low), y))
	s := g.pow2(t)
	return g.add(g.mul(p, s), g.sub(s, g.at(cOne)))
}

func (g unaryCode) exp(x vec) vec { return g.expBelow(g.min(g.load(cExpHigh), x)) }

// log1p returns log(1+e) for 0 <= e <= 1.
func (g unaryCode) log1p(e vec) vec {
	s := g.div(e, g.add(e, g.at(cTwo)))
	z := g.mul(s, s)
	return g.add(g.add(s, s), g.mul(g.mul(s, z), g.horner(z, cLog1pPoly, log1pTerms)))
}

func (g unaryCode) sigmoid(x vec) vec {
	e := g.expBelow(g.negativeAbs(x))
	one := g.load(cOne)
	return g.div(g.choose(x, e, one), g.add(e, one))
}

// sigmoids returns σ(x) and σ(-x).
func (g unaryCode) sigmoids(x vec) (s, c vec) {
	e := g.expBelow(g.negativeAbs(x))
	one := g.load(cOne)
	q := g.div(one, g.add(e, one))
	return g.mul(g.choose(x, e, one), q), g.mul(g.choose(x, one, e), q)
}

// tail returns erfc(a/√2) for a >= 0.
func (g unaryCode) tail(a vec) vec { return g.expBelow(g.mul(a, g.horner(a, cTailPoly, tailTerms))) }

// normal returns the standard normal distribution function of x.
func (g unaryCode) normal(x vec) vec {
	h := g.mul(g.tail(g.abs(x)), g.at(cHalf))
	return g.choose(x, h, g.sub(g.load(cOne), h))
}

// geluTanhArgument returns x·2√(2/π)·(1 + square·c) with the constant c number cube of the table.
func (g unaryCode) geluTanhArgument(x, square vec, cube int) vec {
	return g.mul(g.mul(x, g.at(cTanhScale)), g.add(g.mul(square, g.at(cube)), g.at(cOne)))
}

// mishParts returns e^x and n = e^x·(e^x+2) for x <= 20.
func (g unaryCode) mishParts(x vec) (e, n vec) {
	e = g.expBelow(x)
	return e, g.mul(e, g.add(e, g.at(cTwo)))
}

func (g unaryCode) clamp(x vec) vec { return g.min(g.p[1], g.max(g.p[0], x)) }

func (g unaryCode) unit(y vec) vec { return g.min(g.load(cOne), g.max(g.load(cZero), y)) }

func (g unaryCode) round(x vec, how uint64) vec {
	v := g.u.YMM()
	g.u.VROUNDPS(Imm(how), x, v)
	return v
}

// unaryOp is an elementwise function: code for its value and, for some functions, for its derivative.
type unaryOp struct {
	name      string
	kinds     string
	parameter int // number of parameters
	at, slope func(g unaryCode, x vec) vec
}

var unaryOps = []unaryOp{
	{"ReLU6", "ActReLU6", 2, unaryCode.clamp, func(g unaryCode, x vec) vec {
		return g.and(g.and(g.compare(greater, x, g.p[0]), g.compare(less, x, g.p[1])), g.at(cOne))
	}},
	{"Clamp", "ActClamp", 2, unaryCode.clamp, func(g unaryCode, x vec) vec {
		return g.and(g.and(g.compare(greaterEqual, x, g.p[0]), g.compare(lessEqual, x, g.p[1])), g.at(cOne))
	}},
	{"Sigmoid", "ActSigmoid", 0, unaryCode.sigmoid, func(g unaryCode, x vec) vec {
		s, c := g.sigmoids(x)
		return g.mul(s, c)
	}},
	{"Swish", "ActSwish", 1, func(g unaryCode, x vec) vec { return g.mul(g.sigmoid(g.mul(x, g.p[0])), x) },
		func(g unaryCode, x vec) vec {
			y := g.mul(x, g.p[0])
			s, c := g.sigmoids(y)
			return g.add(s, g.mul(g.mul(y, s), c))
		}},
	{"HardSigmoid", "ActHardSigmoid", 2, func(g unaryCode, x vec) vec {
		return g.unit(g.add(g.mul(x, g.p[0]), g.p[1]))
	},
		func(g unaryCode, x vec) vec {
			y := g.add(g.mul(x, g.p[0]), g.p[1])
			return g.and(g.and(g.compare(greater, y, g.at(cZero)), g.compare(less, y, g.at(cOne))), g.p[0])
		}},
	{"HardSwish", "ActHardSwish", 0, func(g unaryCode, x vec) vec {
		return g.mul(x, g.unit(g.add(g.mul(x, g.at(cSixth)), g.at(cHalf))))
	}, func(g unaryCode, x vec) vec {
		three := g.load(cThree)
		s := g.add(g.mul(x, g.at(cThird)), g.at(cHalf))
		s = g.choose(g.compare(greaterEqual, x, three), g.at(cOne), s)
		return g.clear(g.compare(lessEqual, x, g.xor(three, g.at(cSign))), s)
	}},
	{"GELU", "ActGELU", 0, func(g unaryCode, x vec) vec { return g.mul(x, g.normal(x)) }, func(g unaryCode, x vec) vec {
		n := g.normal(x)
		density := g.expBelow(g.xor(g.mul(g.mul(x, x), g.at(cHalf)), g.at(cSign)))
		return g.add(n, g.mul(g.mul(x, g.at(cInvSqrt2Pi)), density))
	}},
	{"GELUTanh", "ActGELUTanh", 0, func(g unaryCode, x vec) vec {
		return g.mul(x, g.sigmoid(g.geluTanhArgument(x, g.mul(x, x), cTanhCube)))
	}, func(g unaryCode, x vec) vec {
		high := g.load(cGELUHigh)
		x = g.min(high, g.max(g.xor(high, g.at(cSign)), x))
		square := g.mul(x, x)
		s, c := g.sigmoids(g.geluTanhArgument(x, square, cTanhCube))
		w := g.geluTanhArgument(x, square, cTanhCube3)
		return g.add(s, g.mul(g.mul(w, s), c))
	}},
	{"Tanh", "ActTanh", 0, func(g unaryCode, x vec) vec {
		m := g.expm1Below(g.mul(g.negativeAbs(x), g.at(cTwo)))
		return g.withSign(g.abs(g.div(m, g.add(m, g.at(cTwo)))), x)
	}, func(g unaryCode, x vec) vec {
		e := g.expBelow(g.mul(g.negativeAbs(x), g.at(cTwo)))
		one := g.load(cOne)
		q := g.div(one, g.add(e, one))
		return g.mul(g.mul(e, g.at(cFour)), g.mul(q, q))
	}},
	{"Softplus", "ActSoftplus", 0, func(g unaryCode, x vec) vec {
		return g.add(g.log1p(g.expBelow(g.negativeAbs(x))), g.max(g.load(cZero), x))
	}, unaryCode.sigmoid},
	{"Mish", "ActMish", 0, func(g unaryCode, x vec) vec {
		_, n := g.mishParts(g.min(g.load(cMishHigh), x))
		return g.mul(x, g.div(n, g.add(n, g.at(cTwo))))
	}, func(g unaryCode, x vec) vec {
		x = g.min(g.load(cMishHigh), x)
		e, n := g.mishParts(x)
		one := g.load(cOne)
		q := g.div(one, g.add(n, g.at(cTwo)))
		f := g.mul(x, g.mul(g.mul(e, g.at(cFour)), g.add(e, one)))
		return g.add(g.mul(n, q), g.mul(g.mul(f, q), q))
	}},
	{"Softsign", "ActSoftsign", 0, func(g unaryCode, x vec) vec { return g.div(x, g.add(g.abs(x), g.at(cOne))) }, nil},
	{"LeakyReLU", "ActLeakyReLU", 1, func(g unaryCode, x vec) vec {
		return g.choose(g.compare(less, x, g.at(cZero)), g.mul(x, g.p[0]), x)
	}, func(g unaryCode, x vec) vec { return g.choose(g.compare(greater, x, g.at(cZero)), g.at(cOne), g.p[0]) }},
	{"ELU", "ActELU, ActCELU, ActSELU", 3, func(g unaryCode, x vec) vec {
		low := g.mul(g.expm1Below(g.mul(x, g.p[2])), g.p[1])
		return g.choose(g.compare(greater, x, g.at(cZero)), g.mul(x, g.p[0]), low)
	}, func(g unaryCode, x vec) vec {
		low := g.mul(g.expBelow(g.mul(x, g.p[2])), g.mul(g.p[1], g.p[2]))
		return g.choose(g.compare(greater, x, g.at(cZero)), g.p[0], low)
	}},
	{"Exp", "ActExp", 0, unaryCode.exp, unaryCode.exp},
	{"Sqrt", "ActSqrt", 0, func(g unaryCode, x vec) vec {
		v := g.u.YMM()
		g.u.VSQRTPS(x, v)
		return v
	}, nil},
	{"Reciprocal", "ActReciprocal", 0, func(g unaryCode, x vec) vec { return g.div(g.load(cOne), x) }, nil},
	{"Abs", "ActAbs", 0, unaryCode.abs, nil},
	{"Neg", "ActNeg", 0, func(g unaryCode, x vec) vec { return g.xor(x, g.at(cSign)) }, nil},
	{"Erf", "ActErf", 0, func(g unaryCode, x vec) vec {
		y := g.abs(x)
		near := g.compare(less, y, g.at(cErfSmall))
		small := g.mul(x, g.horner(g.mul(x, x), cErfPoly, erfTerms))
		large := g.withSign(g.abs(g.sub(g.load(cOne), g.tail(g.mul(y, g.at(cSqrt2))))), x)
		return g.choose(near, small, large)
	}, nil},
	{"Square", "ActSquare", 0, func(g unaryCode, x vec) vec { return g.mul(x, x) },
		func(g unaryCode, x vec) vec { return g.add(x, x) }},
	{"Floor", "ActFloor", 0, func(g unaryCode, x vec) vec { return g.round(x, 9) }, nil},
	{"Ceil", "ActCeil", 0, func(g unaryCode, x vec) vec { return g.round(x, 10) }, nil},
	{"Round", "ActRound", 0, func(g unaryCode, x vec) vec { return g.round(x, 8) }, nil},
}

// unaries writes the functions and their gradients. They are for AVX2 and also serve AVX-512.
func unaries(u unit) {
	for _, op := range unaryOps {
		if op.at != nil {
			u.unary("unary"+op.name, "computes dst = f(src).", op.parameter, false, op.at)
		}
		if op.slope != nil {
			u.unary("slope"+op.name, "computes dst = grad·f'(src), zero where f' is.", op.parameter, true, op.slope)
		}
	}
}

func (u unit) unary(name, doc string, parameters int, gradient bool, f func(g unaryCode, x vec) vec) {
	s := avx2
	u.text(name+s.name, "unaryArgs", doc)
	args := u.args()
	dst, src, n := u.load64(args, unaryDst), u.load64(args, unarySrc), u.load64(args, unaryN)
	var grad reg.GPVirtual
	if gradient {
		grad = u.load64(args, unaryGrad)
	}
	g := unaryCode{u: u, constants: u.load64(args, unaryConstants)}
	for i := range parameters {
		g.p[i] = u.YMM()
		u.VBROADCASTSS(field(args, unaryP+i), g.p[i])
	}
	i := u.GP64()
	u.XORQ(i, i)
	at := func(base reg.GPVirtual) Mem { return Mem{Base: base, Index: i, Scale: 4} }
	pass := func(load func(Mem, vec), store func(vec, Mem)) {
		x := u.YMM()
		load(at(src), x)
		y := f(g, x)
		if gradient {
			dy := u.YMM()
			load(at(grad), dy)
			y = g.and(g.mul(dy, y), g.compare(notEqual, y, g.at(cZero)))
		}
		store(y, at(dst))
	}
	u.SUBQ(Imm(8), n)
	u.JL(LabelRef("tail"))
	u.Label("whole")
	pass(func(m Mem, v vec) { u.VMOVUPS(m, v) }, func(v vec, m Mem) { u.VMOVUPS(v, m) })
	u.ADDQ(Imm(8), i)
	u.SUBQ(Imm(8), n)
	u.JGE(LabelRef("whole"))
	u.Label("tail")
	u.ADDQ(Imm(8), n)
	u.JZ(LabelRef("done"))
	m := u.newTailMask(s, n, u.load64(args, unaryLanes))
	pass(func(at Mem, v vec) { u.loadTail(s, at, m, v) }, func(v vec, at Mem) { u.VMASKMOVPS(v, m.r, at) })
	u.Label("done")
	u.VZEROUPPER()
	u.RET()
}
