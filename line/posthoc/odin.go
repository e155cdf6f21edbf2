package posthoc

import (
	"fmt"
	"math"
	"slices"
)

// odin is ODIN of Liang et al. (ICLR 2018): max_k softmax(l'/T)_k, with l' the logits of the image changed by eps
// along the sign of the gradient of log softmax(l/T)_c with respect to the pixels, c being the prediction. eps is in
// units of pixels in [0, 1].
var odin = Kind{
	Name: "odin", Doc: "max softmax(l'/T) of the image stepped along its input gradient",
	Source: "Liang et al., ICLR 2018",
	Params: []Parameter{
		{Name: "temperature", Alias: "t", Default: 1000, Min: 0, Max: math.MaxFloat32, Open: true,
			Grid: []float64{1, 10, 100, 1000}, Doc: "T"},
		{Name: "eps", Alias: "noise", Default: 0.0014, Min: 0, Max: 1, Grid: []float64{0, 0.0014, 0.0028, 0.007, 0.014},
			Doc: "step in units of pixels in [0, 1]"},
	},
	Part: func(p map[string]float64, _ int) (Part, error) {
		t := p["temperature"]
		return Part{Score: &ofExtra{
			name: fmt.Sprintf("odin.logits(T=%v,eps=%v)", t, p["eps"]),
			score: func(logits []float64) float64 {
				return 1 / sumExp(logits, slices.Max(logits), t)
			},
		}}, nil
	},
}

// rankFeat is RankFeat of Song et al. (NeurIPS 2022): the energy of the logits that result from the last feature map
// after its first singular pair has been subtracted. The paper's fusion with the block before is not implemented,
// since it needs names of a network's blocks.
var rankFeat = Kind{
	Name: "rankfeat", Doc: "energy of the last feature map without its first singular pair",
	Source: "Song et al., NeurIPS 2022",
	Part: func(map[string]float64, int) (Part, error) {
		return Part{Score: &ofExtra{
			name:  "rankfeat.logits",
			score: func(logits []float64) float64 { return logSumExp(logits, 1) },
		}}, nil
	},
}

// ofExtra is a scorer that depends only on further values of each sample.
type ofExtra struct {
	unfitted
	name  string
	score func(values []float64) float64
}

// Needs returns the name of these values.
func (s *ofExtra) Needs() []string { return []string{s.name} }

func (s *ofExtra) Score() func(*Block, []float64) {
	var wide []float64
	return eachSample(func(b *Block, i int) float64 {
		wide = wide[:0]
		for _, v := range b.Extra(s.name, i) {
			wide = append(wide, float64(v))
		}
		return s.score(wide)
	})
}
