package probe

import "gonum.org/v1/gonum/mat"

// withoutFirst returns the mean over the pixels [channel] of a feature map [channel, pixel] from which its first
// singular pair s₁u₁v₁ᵀ has been subtracted (RankFeat; Song et al., NeurIPS 2022). The pair comes from the
// eigenvectors of the pixels' Gram matrix.
func withoutFirst(m []float32, channels, pixels int) []float64 {
	gram := mat.NewSymDense(pixels, nil)
	for p := range pixels {
		for q := p; q < pixels; q++ {
			var sum float64
			for d := range channels {
				sum += float64(m[d*pixels+p]) * float64(m[d*pixels+q])
			}
			gram.SetSym(p, q, sum)
		}
	}
	var eigen mat.EigenSym
	var vectors mat.Dense
	v := make([]float64, pixels)
	if eigen.Factorize(gram, true) {
		eigen.VectorsTo(&vectors)
		mat.Col(v, pixels-1, &vectors) // eigenvalues are ascending
	}
	var share float64
	for _, x := range v {
		share += x / float64(pixels)
	}
	out := make([]float64, channels)
	for d := range out {
		var mean, along float64
		for p, x := range m[d*pixels:][:pixels] {
			mean += float64(x) / float64(pixels)
			along += float64(float64(x) * v[p])
		}
		out[d] = mean - float64(along*share)
	}
	return out
}
