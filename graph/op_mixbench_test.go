package graph

import (
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BenchmarkMix mixes coalitions of channels, and of single neurons, of a layer of the size of DenseNet's block3.
func BenchmarkMix(b *testing.B) {
	const batch, channels, plane = 4, 342, 64
	for _, players := range []string{"channels", "neurons"} {
		b.Run(players, func(b *testing.B) {
			group, groups := make([]int, channels*plane), channels
			for i := range group {
				if group[i] = i / plane; players == "neurons" {
					group[i] = i
				}
			}
			if players == "neurons" {
				groups *= plane
			}
			r := rand.New(rand.NewPCG(1, 1))
			m := &mixing{group: group, runs: groupRuns(group)}
			input := func(n, size int) G.Value {
				v := make([]float32, n*size)
				for i := range v {
					v[i] = float32(r.IntN(2))
				}
				return tensor.New(tensor.WithShape(n, size), tensor.WithBacking(v))
			}
			f := &floatFn[float32]{run: mixRun[float32](m)}
			var masks []G.Value // so many that a branch predictor cannot remember them
			for range 64 {
				masks = append(masks, input(batch, groups))
			}
			in := []G.Value{nil, input(1, len(group)), input(1, len(group))}
			out := newDense(tensor.Float32, tensor.Shape{batch, len(group)})
			b.SetBytes(int64(4 * batch * len(group)))
			for i := 0; b.Loop(); i++ {
				in[0] = masks[i%len(masks)]
				if err := f.forward(out, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
