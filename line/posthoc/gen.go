package posthoc

import (
	"math"
	"slices"
)

// gen is GEN, the generalised entropy of Liu, Lochman and Zach (CVPR 2023): -sum over the M largest p of p^g (1-p)^g.
// It is at most 0. No clamping is needed for p close to 1 or 0: log p and log(1-p) of the likeliest class are
// computed from the other classes.
var gen = Kind{
	Name: "gen", Doc: "-sum over the M largest p of p^g (1-p)^g", Source: "Liu, Lochman and Zach, CVPR 2023",
	Params: []Parameter{
		{Name: "g", Alias: "gamma", Default: 0.1, Min: 0, Max: 100, Open: true, Grid: []float64{0.01, 0.1, 0.5, 1, 2, 5,
			10}, Doc: "exponent"},
		{Name: "M", Alias: "m", Default: 100, Min: 1, Max: math.MaxInt32, Whole: true, Grid: []float64{10, 50, 100, 200,
			500, 1000},
			Doc: "how many of the likeliest classes count; all where there are fewer"},
	},
	Part: func(p map[string]float64, _ int) (Part, error) {
		return Part{Score: genScore{g: p["g"], m: int(p["M"])}}, nil
	},
}

type genScore struct {
	unfitted
	g float64
	m int
}

func (s genScore) Score() func(*Block, []float64) {
	var sorted []float64
	return eachSample(func(b *Block, i int) float64 {
		sorted = append(sorted[:0], b.LogitsOf(i)...)
		slices.Sort(sorted)
		slices.Reverse(sorted)
		return 0 - s.entropy(sorted) // never -0
	})
}

// entropy is the generalised entropy of the softmax probabilities of logits in descending order.
func (s genScore) entropy(logits []float64) float64 {
	if len(logits) == 1 {
		return 0
	}
	soft := softmaxOf(logits)
	// 1-p of the likeliest class is the sum of the others. Its logarithm is computed relative to the largest of the
	// others, since all of them may underflow.
	sum := math.Exp(s.g * (soft.logP(logits[0]) + logSumExp(logits[1:], 1) - soft.max - soft.log))
	for _, l := range logits[1:min(s.m, len(logits))] {
		p := soft.logP(l)
		sum += math.Exp(s.g * (p + math.Log1p(-math.Exp(p))))
	}
	return sum
}
