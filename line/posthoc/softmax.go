package posthoc

import (
	"math"
	"slices"
)

// softmax holds what log-probabilities can be computed from without cancellation. Where the network is certain, log p
// of the largest logit is close to 0, and so are the probabilities of all other classes.
type softmax struct {
	top    int     // the class of the largest logit, the first one at a tie
	max    float64 // its logit
	others float64 // sum of exp(l_k - max) over all other classes, in [0, K-1]
	log    float64 // log of the sum over all, log(1 + others)
}

func softmaxOf(logits []float64) softmax {
	s := softmax{max: slices.Max(logits)}
	s.top = slices.Index(logits, s.max)
	for k, l := range logits {
		if k != s.top {
			s.others += math.Exp(l - s.max)
		}
	}
	s.log = math.Log1p(s.others)
	return s
}

// logP is log p of the class with that logit.
func (s softmax) logP(logit float64) float64 { return (logit - s.max) - s.log }
