package kernel

import "math"

// The functions of this file compute what the vector code written by gen/unary.go computes, with the same operations in
// the same order, so that the bits are the same. Each operation is rounded to float32; the conversions keep the
// compiler from fusing a product and a sum. The polynomials are minimax fits, made for goline, to the functions that
// their comments name.

const (
	log2e = 1.44269504088896340735992468100189
	// Adding and then subtracting magic rounds to an integer n with |n| < 2^22; the low bits of the sum hold n.
	magic     = 1.5 * (1 << 23)
	magicBits = 0x4B400000
	ln2Hi     = 0.693359375 // has so few bits that its product with an exponent is exact
	ln2Lo     = 0.693147180559945309417232121458177 - ln2Hi
	// e^x rounds to zero in float32 below expLow, and is infinite above expHigh.
	expLow, expHigh = -104, 89
	// e^x-1 rounds to -1 below expm1Low.
	expm1Low = -20
	// tanh(log(1+e^x)) rounds to 1 above mishHigh.
	mishHigh = 20
	// The slope of GELUTanh rounds to 1 above geluHigh, and is negligible below -geluHigh.
	geluHigh   = 12
	erfSmall   = 0.6 // below this erf is a polynomial
	invSqrt2Pi = invSqrtPi / math.Sqrt2
)

var (
	// expPoly fits (e^r-1-r)/r² for |r| <= ln2/2.
	expPoly = [...]float32{0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.008368724025785923,
		0.0013814583653584123}
	// log1pPoly fits (2·artanh(s)-2s)/s³, as a polynomial in s², for 0 <= s <= 1/3.
	log1pPoly = [...]float32{0.6666641235351562, 0.40021705627441406, 0.27999013662338257, 0.2802514135837555}
	// tailPoly fits log(erfc(a/√2))/a for 0 <= a <= 6.5. Beyond that it decreases.
	tailPoly = [...]float32{-0.7978858947753906, -0.3182919919490814, -0.0364135280251503, 0.004939967766404152,
		-0.0001328799844486639, -0.00011179980356246233, 2.338514241273515e-05, -1.6184513924599742e-06}
	// erfPoly fits erf(x)/x, as a polynomial in x², for |x| <= 0.6.
	erfPoly = [...]float32{1.1283791065216064, -0.37612512707710266, 0.112809918820858, -0.026646986603736877,
		0.004512357991188765}
)

// horner returns the sum of c[i]·x^i.
func horner(x float32, c []float32) float32 {
	s := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		s = float32(s*x) + c[i]
	}
	return s
}

// atLeast and atMost return x where x is NaN.
func atLeast(x, lo float32) float32 {
	if lo > x {
		return lo
	}
	return x
}

func atMost(x, hi float32) float32 {
	if hi < x {
		return hi
	}
	return x
}

func abs32(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// withSign returns x, which must not be negative, with the sign of s.
func withSign(x, s float32) float32 {
	return math.Float32frombits(math.Float32bits(x) | math.Float32bits(s)&(1<<31))
}

// expParts returns p = e^r-1 and t, whose low bits are n, for y = n·log 2 + r.
func expParts(y float32) (p, t float32) {
	t = float32(y*log2e) + magic
	n := t - magic
	r := y - float32(n*ln2Hi)
	r -= float32(n * ln2Lo)
	return r + float32(float32(r*r)*horner(r, expPoly[:])), t
}

// pow2 returns 2^n, where n, from -126 to 127, is in the low bits of its argument.
func pow2(n uint32) float32 { return math.Float32frombits(n<<23 + 0x3F800000) }

// expBelow returns e^y for y < 88.
func expBelow(y float32) float32 {
	p, t := expParts(atLeast(y, expLow))
	n := int32(math.Float32bits(t) - magicBits)
	half := n >> 1 // in two steps, because 2^n may be out of range
	return float32(float32((1+p)*pow2(uint32(half))) * pow2(uint32(n-half)))
}

// expm1Below returns e^y-1 for y < 88.
func expm1Below(y float32) float32 {
	p, t := expParts(atLeast(y, expm1Low))
	s := pow2(math.Float32bits(t))
	return float32(p*s) + (s - 1)
}

func exp32(x float32) float32 { return expBelow(atMost(x, expHigh)) }

// log1p32 returns log(1+e) for 0 <= e <= 1.
func log1p32(e float32) float32 {
	s := e / (e + 2)
	z := float32(s * s)
	return (s + s) + float32(float32(s*z)*horner(z, log1pPoly[:]))
}

// logistic returns the numerators num of σ(x) and other of σ(-x), and their common denominator d.
func logistic(x float32) (num, other, d float32) {
	e := expBelow(-abs32(x))
	if x < 0 {
		return e, 1, 1 + e
	}
	return 1, e, 1 + e
}

func sigmoid32(x float32) float32 {
	num, _, d := logistic(x)
	return num / d
}

// sigmoids returns σ(x) and σ(-x).
func sigmoids(x float32) (s, c float32) {
	num, other, d := logistic(x)
	q := 1 / d
	return float32(num * q), float32(other * q)
}

// tail returns erfc(a/√2) for a >= 0.
func tail(a float32) float32 { return expBelow(float32(a * horner(a, tailPoly[:]))) }

// normal returns the standard normal distribution function of x.
func normal(x float32) float32 {
	h := float32(0.5 * tail(abs32(x)))
	if x < 0 {
		return h
	}
	return 1 - h
}

// geluTanhArgument returns the argument of the sigmoid in GELUTanh.
func geluTanhArgument(x, square float32) float32 {
	return float32(float32(x*tanhScale) * (float32(square*tanhCube) + 1))
}

// mishParts returns e^x and n = e^x·(e^x+2), for x limited to at most 20.
func mishParts(x float32) (e, n float32) {
	e = expBelow(atMost(x, mishHigh))
	return e, float32(e * (e + 2))
}

// unary32 is an activation of float32, with its parameters prepared.
type unary32 struct {
	Activation
	p [3]float32
}

func newUnary32(a Activation) unary32 {
	u := unary32{a, [3]float32{float32(a.A), float32(a.B)}}
	switch a.Kind {
	case ActReLU6:
		u.p = [3]float32{0, 6}
	case ActELU, ActCELU, ActSELU:
		pos, neg, in := a.elu()
		u.p = [3]float32{float32(pos), float32(neg), float32(in)}
	}
	return u
}

// in64 tells whether the function is computed in float64, for which there is no vector code.
func (u *unary32) in64() bool {
	switch u.Kind {
	case ActLog, ActSin, ActCos, ActSign, ActIdentity, ActReLU:
		return true
	case ActCELU:
		return u.p[2] < 0
	}
	return false
}

// slopeIn64 tells whether the derivative is computed in float64.
func (u *unary32) slopeIn64() bool {
	switch u.Kind {
	case ActSoftsign, ActErf, ActSqrt, ActReciprocal, ActAbs, ActNeg, ActFloor, ActCeil, ActRound:
		return true
	}
	return u.in64()
}

// each computes dst = f(src).
func (u *unary32) each(dst, src []float32) {
	for i, v := range src {
		dst[i] = u.at(v)
	}
}

// eachSlope computes dx = dy·f'(x), and zero wherever f'(x) is zero.
func (u *unary32) eachSlope(dx, dy, x []float32) {
	for i, g := range dy {
		if s := u.slope(x[i]); s != 0 {
			dx[i] = g * s
		} else {
			dx[i] = 0
		}
	}
}

// at returns the function's value at x, computed in float32.
func (u *unary32) at(x float32) float32 {
	a, b, c := u.p[0], u.p[1], u.p[2]
	if u.in64() {
		return float32(u.at64(float64(x)))
	}
	switch u.Kind {
	case ActReLU6, ActClamp:
		return atMost(atLeast(x, a), b)
	case ActSigmoid:
		return sigmoid32(x)
	case ActSwish:
		return x * sigmoid32(float32(a*x))
	case ActHardSigmoid:
		return atMost(atLeast(float32(x*a)+b, 0), 1)
	case ActHardSwish:
		return x * atMost(atLeast(float32(x*sixth)+0.5, 0), 1)
	case ActGELU:
		return x * normal(x)
	case ActGELUTanh:
		return x * sigmoid32(geluTanhArgument(x, float32(x*x)))
	case ActTanh:
		m := expm1Below(-2 * abs32(x))
		return withSign(abs32(m/(m+2)), x)
	case ActSoftplus:
		return atLeast(x, 0) + log1p32(expBelow(-abs32(x)))
	case ActMish:
		_, n := mishParts(x)
		return x * (n / (n + 2))
	case ActSoftsign:
		return x / (1 + abs32(x))
	case ActLeakyReLU:
		if x < 0 {
			return a * x
		}
		return x
	case ActELU, ActCELU, ActSELU:
		if x > 0 {
			return a * x
		}
		return b * expm1Below(float32(c*x))
	case ActExp:
		return exp32(x)
	case ActSqrt:
		return float32(math.Sqrt(float64(x)))
	case ActReciprocal:
		return 1 / x
	case ActAbs:
		return abs32(x)
	case ActNeg:
		return -x
	case ActErf:
		y := abs32(x)
		if y < erfSmall {
			return x * horner(float32(x*x), erfPoly[:])
		}
		return withSign(abs32(1-tail(float32(y*math.Sqrt2))), x)
	case ActSquare:
		return x * x
	case ActFloor:
		return float32(math.Floor(float64(x)))
	case ActCeil:
		return float32(math.Ceil(float64(x)))
	}
	return float32(math.RoundToEven(float64(x)))
}

func gated32(ok bool, v float32) float32 {
	if ok {
		return v
	}
	return 0
}

// slope returns the derivative at x, computed in float32.
func (u *unary32) slope(x float32) float32 {
	a, b, c := u.p[0], u.p[1], u.p[2]
	if u.slopeIn64() {
		return float32(u.slope64(float64(x)))
	}
	switch u.Kind {
	case ActReLU6:
		return gated32(x > a && x < b, 1)
	case ActClamp:
		return gated32(x >= a && x <= b, 1)
	case ActSigmoid:
		s, c := sigmoids(x)
		return s * c
	case ActSwish:
		y := float32(a * x)
		s, c := sigmoids(y)
		return s + float32(float32(y*s)*c)
	case ActHardSigmoid:
		y := float32(x*a) + b
		return gated32(y > 0 && y < 1, a)
	case ActHardSwish:
		switch {
		case x <= -3:
			return 0
		case x >= 3:
			return 1
		}
		return float32(x*(1.0/3)) + 0.5
	case ActGELU:
		return normal(x) + float32(float32(x*invSqrt2Pi)*expBelow(float32(float32(x*x)*-0.5)))
	case ActGELUTanh:
		x = atMost(atLeast(x, -geluHigh), geluHigh)
		square := float32(x * x)
		s, c := sigmoids(geluTanhArgument(x, square))
		w := float32(float32(x*tanhScale) * (float32(square*(3*tanhCube)) + 1))
		return s + float32(float32(w*s)*c)
	case ActTanh:
		e := expBelow(-2 * abs32(x))
		q := 1 / (1 + e)
		return float32(4*e) * float32(q*q)
	case ActSoftplus:
		return sigmoid32(x)
	case ActMish:
		e, n := mishParts(x)
		q := 1 / (n + 2)
		f := float32(atMost(x, mishHigh) * float32(float32(4*e)*(1+e)))
		return float32(n*q) + float32(float32(f*q)*q)
	case ActLeakyReLU:
		if x > 0 {
			return 1
		}
		return a
	case ActELU, ActCELU, ActSELU:
		if x > 0 {
			return a
		}
		return float32(b*c) * expBelow(float32(c*x))
	case ActExp:
		return exp32(x)
	}
	return x + x // Square
}
