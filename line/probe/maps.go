package probe

import (
	"math"

	"github.com/line-ood/goline/graph"
)

// maps keeps the values that come from the feature maps of a batch.
func (c *computation) maps(out *graph.Outputs) error {
	channels := c.net.FeatureDim()
	for k, n := range c.needs {
		if !n.ofMap() {
			continue
		}
		all := out.Float32(mapNode)
		pixels := len(all) / out.N / channels
		for i := range out.N {
			m := all[i*channels*pixels:][:channels*pixels]
			switch n.kind {
			case mapMax:
				for d := range channels {
					c.values[k] = append(c.values[k], largest(m[d*pixels:][:pixels]))
				}
			case mapStd:
				for d := range channels {
					c.values[k] = append(c.values[k], deviation(m[d*pixels:][:pixels]))
				}
			case mapGram:
				c.values[k] = appendGramSums(c.values[k], m, channels, int(n.params["powers"]))
			case rankFeatLogits:
				z := withoutFirst(m, channels, pixels)
				c.values[k] = append(c.values[k], c.logits(z)...)
			}
		}
	}
	return nil
}

func largest(v []float32) float32 {
	top := v[0]
	for _, x := range v[1:] {
		top = max(top, x)
	}
	return top
}

// deviation is the sample standard deviation (n-1), 0 for a single value.
func deviation(v []float32) float32 {
	if len(v) < 2 {
		return 0
	}
	var mean, squares float64
	for _, x := range v {
		mean += float64(x)
	}
	mean /= float64(len(v))
	for _, x := range v {
		squares += (float64(x) - mean) * (float64(x) - mean)
	}
	return float32(math.Sqrt(squares / float64(len(v)-1)))
}

// logits applies the head to features in float64.
func (c *computation) logits(z []float64) []float32 {
	out := make([]float32, c.head.Classes)
	for k := range out {
		sum := float64(c.head.Bias[k])
		for d, w := range c.head.Weight[k*c.head.FeatureDim:][:c.head.FeatureDim] {
			sum += float64(float64(w) * z[d])
		}
		out[k] = float32(sum)
	}
	return out
}
