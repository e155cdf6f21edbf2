package probe

import "math"

// maxPowers is the largest number of powers of a feature map that a need may ask for.
const maxPowers = 20

// appendGramSums appends, for each power p from 1 to powers, the row sums of F^p (F^p)' of a feature map F [channel,
// pixel], each raised to the power 1/p with its sign kept: [power, channel]. It does not form the matrix: a row's sum
// is the product of the row of F^p with the sum of all rows. Powers are taken of the map divided by its largest
// absolute value, so that none overflows.
func appendGramSums(dst, m []float32, channels, powers int) []float32 {
	pixels := len(m) / channels
	top := 0.0
	for _, v := range m {
		top = math.Max(top, math.Abs(float64(v)))
	}
	if top == 0 {
		return append(dst, make([]float32, powers*channels)...)
	}
	scaled, power, all := make([]float64, len(m)), make([]float64, len(m)), make([]float64, pixels)
	for i, v := range m {
		scaled[i], power[i] = float64(v)/top, 1
	}
	for p := 1; p <= powers; p++ {
		clear(all)
		for i := range power {
			power[i] *= scaled[i]
			all[i%pixels] += power[i]
		}
		for d := range channels {
			var sum float64
			for j, v := range power[d*pixels:][:pixels] {
				sum += float64(v * all[j])
			}
			root := math.Pow(math.Abs(sum), 1/float64(p)) * top * top
			dst = append(dst, float32(math.Copysign(root, sum)))
		}
	}
	return dst
}
