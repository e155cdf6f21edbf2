package kernel

import "math"

// bfloat16 is the upper half of a float32: sign, exponent and seven bits of fraction. Kernels in bfloat16 round their
// operands to it and sum the products, which are exact, in float32. This file computes in portable Go, bit by bit, what
// the instructions compute.

// smallestNormal is the smallest positive float32 that is not flushed to zero.
const smallestNormal = 0x1p-126

// toBFloat16 rounds x to the nearest bfloat16, ties to even. Like VCVTNE2PS2BF16 it turns denormal numbers into zeros,
// and keeps of a NaN the bits that fit.
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

// fromBFloat16 returns the number whose bits are b.
func fromBFloat16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// flushed rounds sum to float32 and flushes denormal results to zero.
func flushed(sum float64) float32 {
	// The result counts as denormal if it is, after rounding with the number of bits of a normal float32.
	if r := float32(sum * 0x1p64); r < smallestNormal*0x1p64 && r > -smallestNormal*0x1p64 {
		return float32(math.Copysign(0, sum))
	}
	return float32(sum)
}

// multiplyAdd returns sum + a·b, rounded once, for bfloat16 numbers a and b and a sum that is not denormal. The product
// has sixteen bits of fraction and the sum has 24. Where their sum does not fit a float64, the part that is lost is too
// small to decide a tie.
func multiplyAdd(sum, a, b float32) float32 { return flushed(float64(sum) + float64(a)*float64(b)) }

// fma32 returns a·b + c, rounded once, as the vector instruction does.
func fma32(a, b, c float32) float32 {
	p, q := float64(a)*float64(b), float64(c) // the product is exact
	s := p + q
	if math.IsInf(s, 0) || s != s {
		return float32(s)
	}
	// s is not exact. The lost part decides its last bit, so that rounding s to float32 does not take it for a tie.
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

// bfPairsInBlock is the number of pairs of channels that an AMX tile multiplies and sums at once.
const bfPairsInBlock = 16

// bfBlock is a block of n pairs of channels, from pair first on, at one tap (a position in the kernel's window), which
// are summed together: the even channels and the odd channels are summed separately, in order and starting at zero;
// then both sums are added and the result is added to the total.
type bfBlock struct{ tap, first, n int }

// bfBlocks lists the blocks in the order in which they are summed: first the full blocks of each tap, then the others.
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
