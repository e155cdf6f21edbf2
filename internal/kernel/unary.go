package kernel

import "math"

// UnaryKind is an elementwise function of one variable. A and B below are the parameters of [Activation].
type UnaryKind uint8

const (
	ActIdentity    UnaryKind = iota // x
	ActReLU                         // max(x, 0)
	ActReLU6                        // min(max(x, 0), 6)
	ActClamp                        // min(max(x, A), B)
	ActSigmoid                      // σ(x) = 1/(1+e^-x)
	ActSwish                        // x·σ(A·x)
	ActHardSigmoid                  // min(max(A·x+B, 0), 1)
	ActHardSwish                    // x·min(max(x/6+1/2, 0), 1)
	ActGELU                         // x·(1+erf(x/√2))/2
	ActGELUTanh                     // x·(1+tanh(√(2/π)·(x+0.044715x³)))/2
	ActTanh                         // tanh x
	ActSoftplus                     // log(1+e^x)
	ActMish                         // x·tanh(log(1+e^x))
	ActSoftsign                     // x/(1+|x|)
	ActLeakyReLU                    // x where x >= 0, else A·x
	ActELU                          // x where x > 0, else A·(e^x-1)
	ActCELU                         // x where x > 0, else A·(e^(x/A)-1)
	ActSELU                         // B·x where x > 0, else B·A·(e^x-1)
	ActExp                          // e^x
	ActLog                          // log x
	ActSqrt                         // √x
	ActReciprocal                   // 1/x
	ActAbs                          // |x|
	ActNeg                          // -x
	ActErf                          // erf x
	ActSin                          // sin x
	ActCos                          // cos x
	ActSquare                       // x²
	ActFloor                        // the largest integer that is at most x
	ActCeil                         // the smallest integer that is at least x
	ActRound                        // the nearest integer, the even one of two
	ActSign                         // -1, 0 or 1
)

// Activation is an elementwise function with its parameters A and B. A function that has fewer ignores the others,
// which are zero.
type Activation struct {
	Kind UnaryKind
	A, B float64
}

// Activate computes dst = f(src). NaN stays NaN. dst may be src.
//
// For float32 the bits are the same at every level. Errors, compared with float64, are at most: for functions made of
// exponentials (Sigmoid, Swish, Tanh, Softplus, Mish, the ELUs, Exp) and Erf 4 units in the last place plus 1e-36; for
// Swish with A other than 1, 4 units plus 1e-7; for GELU and GELUTanh 3 units plus 5e-8; for HardSigmoid and HardSwish
// 1 unit plus 5e-7; for all others 1.5 units.
func Activate[T Float](dst, src []T, a Activation) {
	dst = dst[:len(src)]
	switch a.Kind {
	case ActIdentity:
		copy(dst, src)
		return
	case ActReLU:
		ReLU(dst, src)
		return
	}
	if is32[T]() {
		u := newUnary32(a)
		if !u.run(as32(dst), nil, as32(src)) {
			u.each(as32(dst), as32(src))
		}
		return
	}
	for i, v := range src {
		dst[i] = T(a.at64(float64(v)))
	}
}

// ActivateBackward computes dx = dy·f'(x). Where f'(x) is zero, dx is zero even if dy is infinite or NaN. At a kink f'
// is PyTorch's: 0 for ReLU, ReLU6, HardSigmoid and Abs, A for LeakyReLU, and 1 at the bounds of Clamp. dx may be dy or
// x.
//
// For float32 the bits are the same at every level. f' is within 4 units in the last place plus 3e-7 of its value in
// float64.
func ActivateBackward[T Float](dx, dy, x []T, a Activation) {
	dx, x = dx[:len(dy)], x[:len(dy)]
	switch a.Kind {
	case ActIdentity:
		copy(dx, dy)
		return
	case ActReLU:
		ReLUBackward(dx, dy, x)
		return
	}
	if is32[T]() {
		u := newUnary32(a)
		if len(dy) > 0 && !u.run(as32(dx), as32(dy), as32(x)) {
			u.eachSlope(as32(dx), as32(dy), as32(x))
		}
		return
	}
	for i, g := range dy {
		if s := T(a.slope64(float64(x[i]))); s == 0 {
			dx[i] = 0
		} else {
			dx[i] = g * s
		}
	}
}

// between returns min(max(x, lo), hi), and NaN for NaN.
func between(x, lo, hi float64) float64 {
	if x < lo {
		x = lo
	}
	if x > hi {
		x = hi
	}
	return x
}

func sigmoid64(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

// softplusTanh64 returns tanh(log(1+e^x)) = n/(n+2) with n = e^x·(e^x+2).
func softplusTanh64(x float64) float64 {
	e := math.Exp(math.Min(x, 40)) // for larger x the result is 1
	n := e * (e + 2)
	return n / (n + 2)
}

const (
	tanhScale = 2 * 0.79788456080286535587989211986876 // 2·√(2/π)
	tanhCube  = 0.044715
	sixth     = 1.0 / 6
	invSqrtPi = 0.56418958354775628694807945156077 // 1/√π
)

// at64 returns the function's value at x, computed in float64.
func (a Activation) at64(x float64) float64 {
	switch a.Kind {
	case ActReLU:
		return between(x, 0, math.Inf(1))
	case ActReLU6:
		return between(x, 0, 6)
	case ActClamp:
		return between(x, a.A, a.B)
	case ActSigmoid:
		return sigmoid64(x)
	case ActSwish:
		return x * sigmoid64(a.A*x)
	case ActHardSigmoid:
		return between(a.A*x+a.B, 0, 1)
	case ActHardSwish:
		return x * between(x*sixth+0.5, 0, 1)
	case ActGELU:
		return 0.5 * x * math.Erfc(-x/math.Sqrt2)
	case ActGELUTanh: // (1+tanh u)/2 = σ(2u)
		return x * sigmoid64(tanhScale*x*(1+tanhCube*x*x))
	case ActTanh:
		return math.Tanh(x)
	case ActSoftplus:
		return between(x, 0, math.Inf(1)) + math.Log1p(math.Exp(-math.Abs(x)))
	case ActMish:
		return x * softplusTanh64(x)
	case ActSoftsign:
		return x / (1 + math.Abs(x))
	case ActLeakyReLU:
		if x < 0 {
			return a.A * x
		}
		return x
	case ActELU, ActCELU, ActSELU:
		pos, neg, in := a.elu()
		if x > 0 {
			return pos * x
		}
		return neg * math.Expm1(in*x)
	case ActExp:
		return math.Exp(x)
	case ActLog:
		return math.Log(x)
	case ActSqrt:
		return math.Sqrt(x)
	case ActReciprocal:
		return 1 / x
	case ActAbs:
		return math.Abs(x)
	case ActNeg:
		return -x
	case ActErf:
		return math.Erf(x)
	case ActSin:
		return math.Sin(x)
	case ActCos:
		return math.Cos(x)
	case ActSquare:
		return x * x
	case ActFloor:
		return math.Floor(x)
	case ActCeil:
		return math.Ceil(x)
	case ActRound:
		return math.RoundToEven(x)
	case ActSign:
		return signOf(x)
	}
	return x
}

// elu returns the factors of the two sides of ELU, CELU and SELU: pos·x and neg·(e^(in·x)-1).
func (a Activation) elu() (pos, neg, in float64) {
	switch a.Kind {
	case ActCELU:
		return 1, a.A, 1 / a.A
	case ActSELU:
		return a.B, a.B * a.A, 1
	}
	return 1, a.A, 1
}

func signOf(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // ±0 keeps its sign, and NaN stays
}

// gated returns v where the condition holds, zero elsewhere.
func gated(ok bool, v float64) float64 {
	if ok {
		return v
	}
	return 0
}

// slope64 returns the derivative at x, computed in float64.
func (a Activation) slope64(x float64) float64 {
	switch a.Kind {
	case ActReLU:
		return gated(x > 0, 1)
	case ActReLU6:
		return gated(x > 0 && x < 6, 1)
	case ActClamp:
		return gated(x >= a.A && x <= a.B, 1)
	case ActSigmoid:
		return sigmoid64(x) * sigmoid64(-x)
	case ActSwish:
		y := a.A * x
		s := sigmoid64(y)
		return s + y*s*sigmoid64(-y)
	case ActHardSigmoid:
		y := a.A*x + a.B
		return gated(y > 0 && y < 1, a.A)
	case ActHardSwish:
		switch {
		case x <= -3:
			return 0
		case x >= 3:
			return 1
		}
		return x/3 + 0.5
	case ActGELU:
		return 0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-0.5*x*x)*(invSqrtPi/math.Sqrt2)
	case ActGELUTanh:
		x = between(x, -40, 40) // beyond these bounds the derivative is 0 or 1
		y := tanhScale * x * (1 + tanhCube*x*x)
		s := sigmoid64(y)
		return s + x*s*sigmoid64(-y)*tanhScale*(1+3*tanhCube*x*x)
	case ActTanh:
		return 4 * sigmoid64(2*x) * sigmoid64(-2*x)
	case ActSoftplus:
		return sigmoid64(x)
	case ActMish:
		t := softplusTanh64(x)
		return t + x*(1-t*t)*sigmoid64(x)
	case ActSoftsign:
		d := 1 + math.Abs(x)
		return 1 / (d * d)
	case ActLeakyReLU:
		if x > 0 {
			return 1
		}
		return a.A
	case ActELU, ActCELU, ActSELU:
		pos, neg, in := a.elu()
		if x > 0 {
			return pos
		}
		return neg * in * math.Exp(in*x)
	case ActExp:
		return math.Exp(x)
	case ActLog:
		return 1 / x
	case ActSqrt:
		return 0.5 / math.Sqrt(x)
	case ActReciprocal:
		return -1 / (x * x)
	case ActAbs:
		return signOf(x)
	case ActNeg:
		return -1
	case ActErf:
		return 2 * invSqrtPi * math.Exp(-x*x)
	case ActSin:
		return math.Cos(x)
	case ActCos:
		return -math.Sin(x)
	case ActSquare:
		return 2 * x
	case ActFloor, ActCeil, ActRound, ActSign:
		return 0
	}
	return 1
}
