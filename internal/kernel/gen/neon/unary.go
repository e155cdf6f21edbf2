package neon

import (
	"fmt"
	"slices"
)

// Fields of unaryArgs, in order.
const (
	unaryDst = iota
	unarySrc
	unaryGrad
	unaryN
	_
	unaryConstants
	unaryP // the first of three parameters
)

// Vectors of 32 bytes of the table unaryConstants, in order.
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

// functions builds the code of elementwise functions. The same operations in the same order as in portable Go give the
// same bits. The first constants are loaded in front of the loop, those for which there is no register wherever they
// are used.
type functions struct {
	values
	most      int           // constants with a register
	constants map[int]value // by place in the table
	order     []int         // places of those with a register, in the order of first use
	p         [3]value
}

// Constants get registers from the last one downwards, the input, the parameters and the incoming gradient from the
// first one upwards.
const (
	unaryX     = vec(0)
	unaryDy    = vec(1)
	unaryFirst = vec(2) // parameter
	unaryFree  = vec(5)
	unaryTable = reg(5) // address of the constants
)

func newFunctions(parameters, most int) *functions {
	g := &functions{most: most, values: values{fixed: map[value]vec{}}, constants: map[int]value{}}
	for i := range parameters {
		g.p[i] = g.given(unaryFirst + vec(i))
	}
	return g
}

func (g *functions) at(c int) value {
	if v, ok := g.constants[c]; ok {
		return v
	}
	if len(g.order) == g.most {
		return g.values.add(false, func(f *file, dst vec, _ []vec) { f.loadAt(dst, unaryTable, 32*c) })
	}
	v := g.given(vec(31 - len(g.order)))
	g.constants[c], g.order = v, append(g.order, c)
	return v
}

func (g *functions) mul(a, b value) value { return g.three(opFMul, a, b) }
func (g *functions) add(a, b value) value { return g.three(opFAdd, a, b) }
func (g *functions) sub(a, b value) value { return g.three(opFSub, a, b) }
func (g *functions) div(a, b value) value { return g.three(opFDiv, a, b) }
func (g *functions) and(a, b value) value { return g.three(opAnd, a, b) }
func (g *functions) or(a, b value) value  { return g.three(opOrr, a, b) }
func (g *functions) xor(a, b value) value { return g.three(opEor, a, b) }

// greater and atLeast are masks of the lanes where a > b and a >= b.
func (g *functions) greater(a, b value) value { return g.three(opFCmGt, a, b) }
func (g *functions) atLeast(a, b value) value { return g.three(opFCmGe, a, b) }

// negative is the mask of the lanes whose sign bit is set.
func (g *functions) negative(x value) value { return g.two(opCmLtZero, x) }

// max and min are x where x is NaN.
func (g *functions) max(lo, x value) value { return g.choose(g.greater(lo, x), lo, x) }
func (g *functions) min(hi, x value) value { return g.choose(g.greater(x, hi), hi, x) }

func (g *functions) abs(x value) value         { return g.and(x, g.at(cAbs)) }
func (g *functions) negativeAbs(x value) value { return g.or(x, g.at(cSign)) }

// withSign is x, which must not be negative, with the sign of s.
func (g *functions) withSign(x, s value) value { return g.or(g.and(s, g.at(cSign)), x) }

func (g *functions) horner(x value, c, terms int) value {
	s := g.add(g.mul(x, g.at(c+terms-1)), g.at(c+terms-2))
	for i := terms - 3; i >= 0; i-- {
		s = g.add(g.mul(s, x), g.at(c+i))
	}
	return s
}

// expParts returns p = e^r-1 and t, whose low bits are n, for y = n·log 2 + r.
func (g *functions) expParts(y value) (p, t value) {
	t = g.add(g.mul(y, g.at(cLog2e)), g.at(cMagic))
	n := g.sub(t, g.at(cMagic))
	r := g.sub(y, g.mul(n, g.at(cLn2Hi)))
	r = g.sub(r, g.mul(n, g.at(cLn2Lo)))
	return g.add(r, g.mul(g.mul(r, r), g.horner(r, cExpPoly, expTerms))), t
}

func (g *functions) pow2(n value) value {
	return g.integers("VADD", g.shift("VSHL $23, %s, %s", n), g.at(cOne))
}

// expBelow is e^y for y < 88.
func (g *functions) expBelow(y value) value {
	p, t := g.expParts(g.max(g.at(cExpLow), y))
	n := g.integers("VSUB", t, g.at(cMagic))
	half := g.two(opSShr1, n)
	rest := g.integers("VSUB", n, half)
	return g.mul(g.mul(g.add(p, g.at(cOne)), g.pow2(half)), g.pow2(rest))
}

// expm1Below is e^y-1 for y < 88.
func (g *functions) expm1Below(y value) value {
	p, t := g.expParts(g.max(g.at(cExpm1Low), y))
	s := g.pow2(t)
	return g.add(g.mul(p, s), g.sub(s, g.at(cOne)))
}

func (g *functions) exp(x value) value { return g.expBelow(g.min(g.at(cExpHigh), x)) }

// log1p is log(1+e) for 0 <= e <= 1.
func (g *functions) log1p(e value) value {
	s := g.div(e, g.add(e, g.at(cTwo)))
	z := g.mul(s, s)
	return g.add(g.add(s, s), g.mul(g.mul(s, z), g.horner(z, cLog1pPoly, log1pTerms)))
}

func (g *functions) sigmoid(x value) value {
	e := g.expBelow(g.negativeAbs(x))
	return g.div(g.choose(g.negative(x), e, g.at(cOne)), g.add(e, g.at(cOne)))
}

// sigmoids returns σ(x) and σ(-x).
func (g *functions) sigmoids(x value) (s, c value) {
	e, below := g.expBelow(g.negativeAbs(x)), g.negative(x)
	q := g.div(g.at(cOne), g.add(e, g.at(cOne)))
	return g.mul(g.choose(below, e, g.at(cOne)), q), g.mul(g.choose(below, g.at(cOne), e), q)
}

// tail is erfc(a/√2) for a >= 0.
func (g *functions) tail(a value) value {
	return g.expBelow(g.mul(a, g.horner(a, cTailPoly, tailTerms)))
}

// normal is the standard normal distribution function of x.
func (g *functions) normal(x value) value {
	h := g.mul(g.tail(g.abs(x)), g.at(cHalf))
	return g.choose(g.negative(x), h, g.sub(g.at(cOne), h))
}

// geluTanhArgument is x·2√(2/π)·(1 + square·c) with the constant c number cube of the table.
func (g *functions) geluTanhArgument(x, square value, cube int) value {
	return g.mul(g.mul(x, g.at(cTanhScale)), g.add(g.mul(square, g.at(cube)), g.at(cOne)))
}

// mishParts returns e^x and n = e^x·(e^x+2) for x <= 20.
func (g *functions) mishParts(x value) (e, n value) {
	e = g.expBelow(x)
	return e, g.mul(e, g.add(e, g.at(cTwo)))
}

func (g *functions) clamp(x value) value { return g.min(g.p[1], g.max(g.p[0], x)) }

func (g *functions) unit(y value) value { return g.min(g.at(cOne), g.max(g.at(cZero), y)) }

// unaryOp is an elementwise function: code for its value and, for some functions, for its derivative.
type unaryOp struct {
	name      string
	kinds     string
	parameter int // number of parameters
	at, slope func(g *functions, x value) value
}

// rounding is a function of one instruction.
func rounding(op uint32) func(g *functions, x value) value {
	return func(g *functions, x value) value { return g.two(op, x) }
}

var unaryOps = []unaryOp{
	{"ReLU6", "ActReLU6", 2, (*functions).clamp, func(g *functions, x value) value {
		return g.and(g.and(g.greater(x, g.p[0]), g.greater(g.p[1], x)), g.at(cOne))
	}},
	{"Clamp", "ActClamp", 2, (*functions).clamp, func(g *functions, x value) value {
		return g.and(g.and(g.atLeast(x, g.p[0]), g.atLeast(g.p[1], x)), g.at(cOne))
	}},
	{"Sigmoid", "ActSigmoid", 0, (*functions).sigmoid, func(g *functions, x value) value {
		s, c := g.sigmoids(x)
		return g.mul(s, c)
	}},
	{"Swish", "ActSwish", 1, func(g *functions, x value) value { return g.mul(g.sigmoid(g.mul(x, g.p[0])), x) },
		func(g *functions, x value) value {
			y := g.mul(x, g.p[0])
			s, c := g.sigmoids(y)
			return g.add(s, g.mul(g.mul(y, s), c))
		}},
	{"HardSigmoid", "ActHardSigmoid", 2, func(g *functions, x value) value {
		return g.unit(g.add(g.mul(x, g.p[0]), g.p[1]))
	}, func(g *functions, x value) value {
		y := g.add(g.mul(x, g.p[0]), g.p[1])
		return g.and(g.and(g.greater(y, g.at(cZero)), g.greater(g.at(cOne), y)), g.p[0])
	}},
	{"HardSwish", "ActHardSwish", 0, func(g *functions, x value) value {
		return g.mul(x, g.unit(g.add(g.mul(x, g.at(cSixth)), g.at(cHalf))))
	}, func(g *functions, x value) value {
		s := g.add(g.mul(x, g.at(cThird)), g.at(cHalf))
		s = g.choose(g.atLeast(x, g.at(cThree)), g.at(cOne), s)
		return g.three(opBic, s, g.atLeast(g.xor(g.at(cThree), g.at(cSign)), x))
	}},
	{"GELU", "ActGELU", 0, func(g *functions, x value) value { return g.mul(x, g.normal(x)) },
		func(g *functions, x value) value {
			n := g.normal(x)
			density := g.expBelow(g.xor(g.mul(g.mul(x, x), g.at(cHalf)), g.at(cSign)))
			return g.add(n, g.mul(g.mul(x, g.at(cInvSqrt2Pi)), density))
		}},
	{"GELUTanh", "ActGELUTanh", 0, func(g *functions, x value) value {
		return g.mul(x, g.sigmoid(g.geluTanhArgument(x, g.mul(x, x), cTanhCube)))
	}, func(g *functions, x value) value {
		x = g.min(g.at(cGELUHigh), g.max(g.xor(g.at(cGELUHigh), g.at(cSign)), x))
		square := g.mul(x, x)
		s, c := g.sigmoids(g.geluTanhArgument(x, square, cTanhCube))
		w := g.geluTanhArgument(x, square, cTanhCube3)
		return g.add(s, g.mul(g.mul(w, s), c))
	}},
	{"Tanh", "ActTanh", 0, func(g *functions, x value) value {
		m := g.expm1Below(g.mul(g.negativeAbs(x), g.at(cTwo)))
		return g.withSign(g.abs(g.div(m, g.add(m, g.at(cTwo)))), x)
	}, func(g *functions, x value) value {
		e := g.expBelow(g.mul(g.negativeAbs(x), g.at(cTwo)))
		q := g.div(g.at(cOne), g.add(e, g.at(cOne)))
		return g.mul(g.mul(e, g.at(cFour)), g.mul(q, q))
	}},
	{"Softplus", "ActSoftplus", 0, func(g *functions, x value) value {
		return g.add(g.log1p(g.expBelow(g.negativeAbs(x))), g.max(g.at(cZero), x))
	}, (*functions).sigmoid},
	{"Mish", "ActMish", 0, func(g *functions, x value) value {
		_, n := g.mishParts(g.min(g.at(cMishHigh), x))
		return g.mul(x, g.div(n, g.add(n, g.at(cTwo))))
	}, func(g *functions, x value) value {
		x = g.min(g.at(cMishHigh), x)
		e, n := g.mishParts(x)
		q := g.div(g.at(cOne), g.add(n, g.at(cTwo)))
		f := g.mul(x, g.mul(g.mul(e, g.at(cFour)), g.add(e, g.at(cOne))))
		return g.add(g.mul(n, q), g.mul(g.mul(f, q), q))
	}},
	{"Softsign", "ActSoftsign", 0, func(g *functions, x value) value {
		return g.div(x, g.add(g.abs(x), g.at(cOne)))
	}, nil},
	{"LeakyReLU", "ActLeakyReLU", 1, func(g *functions, x value) value {
		return g.choose(g.greater(g.at(cZero), x), g.mul(x, g.p[0]), x)
	}, func(g *functions, x value) value { return g.choose(g.greater(x, g.at(cZero)), g.at(cOne), g.p[0]) }},
	{"ELU", "ActELU, ActCELU, ActSELU", 3, func(g *functions, x value) value {
		low := g.mul(g.expm1Below(g.mul(x, g.p[2])), g.p[1])
		return g.choose(g.greater(x, g.at(cZero)), g.mul(x, g.p[0]), low)
	}, func(g *functions, x value) value {
		low := g.mul(g.expBelow(g.mul(x, g.p[2])), g.mul(g.p[1], g.p[2]))
		return g.choose(g.greater(x, g.at(cZero)), g.p[0], low)
	}},
	{"Exp", "ActExp", 0, (*functions).exp, (*functions).exp},
	{"Sqrt", "ActSqrt", 0, rounding(opFSqrt), nil},
	{"Reciprocal", "ActReciprocal", 0, func(g *functions, x value) value { return g.div(g.at(cOne), x) }, nil},
	{"Abs", "ActAbs", 0, rounding(opFAbs), nil},
	{"Neg", "ActNeg", 0, rounding(opFNeg), nil},
	{"Erf", "ActErf", 0, func(g *functions, x value) value {
		y := g.abs(x)
		small := g.mul(x, g.horner(g.mul(x, x), cErfPoly, erfTerms))
		large := g.withSign(g.abs(g.sub(g.at(cOne), g.tail(g.mul(y, g.at(cSqrt2))))), x)
		return g.choose(g.greater(g.at(cErfSmall), y), small, large)
	}, nil},
	{"Square", "ActSquare", 0, func(g *functions, x value) value { return g.mul(x, x) },
		func(g *functions, x value) value { return g.add(x, x) }},
	{"Floor", "ActFloor", 0, rounding(opFRintM), nil},
	{"Ceil", "ActCeil", 0, rounding(opFRintP), nil},
	{"Round", "ActRound", 0, rounding(opFRintN), nil},
}

// unaries writes the functions and their gradients.
func unaries(f *file) {
	for _, op := range unaryOps {
		unary(f, "unary"+op.name, "computes dst = f(src).", op.parameter, false, op.at)
		if op.slope != nil {
			unary(f, "slope"+op.name, "computes dst = grad·f'(src), zero where f' is.", op.parameter, true, op.slope)
		}
	}
}

func unary(f *file, name, doc string, parameters int, gradient bool, build func(g *functions, x value) value) {
	f.text(name+"NEON", "unaryArgs", doc)
	const dst, src, grad, n, t = reg(1), reg(2), reg(3), reg(4), reg(6)
	var g *functions
	var result value
	var free []vec
	for most := 24; ; most-- { // the most constants in registers that leave enough of them to the code
		g, free = newFunctions(parameters, most), nil
		result = build(g, g.given(unaryX))
		if gradient {
			product := g.mul(g.given(unaryDy), result)
			result = g.three(opBic, product, g.three(opFCmEq, result, g.at(cZero)))
		}
		for v := vec(31 - len(g.order)); v >= unaryFree; v-- {
			free = append(free, v)
		}
		if _, err := g.write(&file{words: new([]word)}, slices.Clone(free), result); err == nil {
			break
		} else if most == 0 {
			panic(fmt.Sprintf("%s: %v", name, err))
		}
	}
	for i := range parameters {
		f.broadcast(unaryFirst+vec(i), unaryP+i, t)
	}
	f.load(unaryTable, unaryConstants)
	for i, c := range g.order {
		f.loadAt(vec(31-i), unaryTable, 32*c)
	}
	f.load(dst, unaryDst)
	f.load(src, unarySrc)
	f.load(grad, unaryGrad)
	f.load(n, unaryN)
	pass := func() vec {
		r, _ := g.write(f, slices.Clone(free), result)
		return r
	}
	f.op("SUBS $4, %v, %v", n, n)
	f.op("BLT tail")
	f.place("whole")
	f.loadNext(src, unaryX)
	if gradient {
		f.loadNext(grad, unaryDy)
	}
	f.storeNext(dst, pass())
	f.op("SUBS $4, %v, %v", n, n)
	f.op("BGE whole")
	f.place("tail")
	f.op("ANDS $3, %v, %v", n, n)
	f.op("BEQ done")
	f.loadPart(unaryX, src, n, t)
	if gradient {
		f.loadPart(unaryDy, grad, n, t)
	}
	f.storePart(pass(), dst, n, t)
	f.place("done")
	f.ret()
}
