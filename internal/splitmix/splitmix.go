// Package splitmix derives seeds from seeds with the mixing function of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
package splitmix

// Golden is the increment of SplitMix64: 2^64 divided by the golden ratio.
const Golden = 0x9e3779b97f4a7c15

// Mix is a bijection of 64-bit numbers. A change of any bit of z changes about half of the bits of the result.
func Mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Combine returns a seed of 64 bits made from two numbers.
func Combine(a, b uint64) uint64 { return Mix(a*Golden + b) }
