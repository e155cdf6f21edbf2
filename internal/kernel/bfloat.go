package kernel

import "math"

// bfloat16 is the upper half of a float32: its sign, its exponent and seven bits of its fraction. Kernels in bfloat16
// round their operands to it and sum the products, which are exact, in float32. What follows says in portable Go, bit
// by bit, what the instructions do.

// smallestNormal is the smallest float32 that is not flushed to zero.
const smallestNormal = 0x1p-126

// toBFloat16 rounds x to the nearest bfloat16, ties to even. As VCVTNE2PS2BF16 does it makes zero of denormal numbers
// and keeps of a NaN what fits.
func toBFloat16(x float32) uint16 {
	b := math.Float32bits(x)
	switch exponent := b >> 23 & 0xff; {
	case exponent == 0:
		return uint16(b>>16) & 0x8000
	case exponent == 0xff && b&0x7fffff != 0:
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// fromBFloat16 returns the number that b stands for.
func fromBFloat16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// flushed rounds a sum that float64 holds well enough to float32, denormal results to zero.
func flushed(sum float64) float32 {
	// Whether a result is denormal shows after it is rounded to the bits of a normal one.
	if r := float32(sum * 0x1p64); r < smallestNormal*0x1p64 && r > -smallestNormal*0x1p64 {
		return float32(math.Copysign(0, sum))
	}
	return float32(sum)
}

// multiplyAdd returns sum + a·b, rounded once, for a and b in bfloat16 and a sum that is not denormal. The product has
// sixteen bits of fraction; where its sum with one of 24 bits does not fit a float64, what is lost is too small to
// decide a tie.
func multiplyAdd(sum, a, b float32) float32 { return flushed(float64(sum) + float64(a)*float64(b)) }

// fma32 returns a·b + c, rounded once, as the vector instruction does.
func fma32(a, b, c float32) float32 {
	p, q := float64(a)*float64(b), float64(c) // the product is exact
	s := p + q
	if math.IsInf(s, 0) || s != s {
		return float32(s)
	}
	// What the sum lost decides the last bit that float64 has, so that rounding again does not take a tie for one.
	back := s - p
	lost := (p - (s - back)) + (q - back)
	if bits := math.Float64bits(s); lost != 0 && bits&1 == 0 {
		if (lost > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
		s = math.Float64frombits(bits)
	}
	return float32(s)
}

// bfPairsInBlock is how many pairs of channels a tile of AMX multiplies and sums at once.
const bfPairsInBlock = 16

// bfBlock are pairs of channels, n of them from first on, that meet one tap of a kernel and are summed together: the
// even channels and the odd ones apart, in order and from zero, then both sums are added and the result to the total.
type bfBlock struct{ tap, first, n int }

// bfBlocks lists the blocks in the order that they are summed in: the whole ones of each tap, then the others.
func bfBlocks(pairs, taps int) []bfBlock {
	var blocks []bfBlock
	whole := pairs / bfPairsInBlock * bfPairsInBlock
	for tap := range taps {
		for first := 0; first < whole; first += bfPairsInBlock {
			blocks = append(blocks, bfBlock{tap, first, bfPairsInBlock})
		}
	}
	if whole < pairs {
		for tap := range taps {
			blocks = append(blocks, bfBlock{tap, whole, pairs - whole})
		}
	}
	return blocks
}
