package train

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/line-ood/goline/graph"
)

// Initialise sets parameters to initial values for training. These depend on the shape of a parameter and on the last
// part of its name.
//
// Convolutions, [out, in, kernel height, kernel width], and other parameters with more than two axes are normal with
// variance 2 / (out · kernel height · kernel width), the variance of He et al. (ICCV 2015) for the backward pass, as
// in torchvision's residual networks. Linear layers [out, in] and their biases are uniform in ±1/√in, as in PyTorch.
// Vectors named "weight" and "running_var" are 1, other vectors 0. Buffers other than running statistics are left
// unchanged. Each parameter has its own random stream, derived from the seed and its name.
func Initialise(params []*graph.Param, seed uint64) {
	fanIn := map[string]int{} // of the linear layers
	for _, p := range params {
		if s := p.Shape(); len(s) == 2 {
			fanIn[strings.TrimSuffix(p.Name, ".weight")] = s[1]
		}
	}
	for _, p := range params {
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		v, s := p.Float32s(), p.Shape()
		layer, part := p.Name[:max(0, strings.LastIndexByte(p.Name, '.'))],
			p.Name[strings.LastIndexByte(p.Name, '.')+1:]
		if p.Buffer && !strings.HasPrefix(part, "running_") {
			continue
		}
		in := fanIn[layer]
		if len(s) == 2 {
			in = s[1]
		}
		switch {
		case len(s) > 2:
			std := math.Sqrt(2 / float64(len(v)/s[1]))
			for i := range v {
				v[i] = float32(std * r.NormFloat64())
			}
		case in > 0:
			bound := 1 / math.Sqrt(float64(in))
			for i := range v {
				v[i] = float32(bound * (2*r.Float64() - 1))
			}
		default:
			var c float32
			if part == "weight" || part == "running_var" {
				c = 1
			}
			for i := range v {
				v[i] = c
			}
		}
	}
}
