package graph_test

import (
	"math"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/graph/graphtest"
)

// The references of this file are written from the definitions, index by index, and share no code with the package.

func or1(v int) int { return max(v, 1) }

// convRef is y[n,o,i,j] = b[o] + Σ x[n, g·C/G+c, i·s-p+kh·d, ...]·w[o,c,kh,kw] for the group g of o.
func convRef(x, w graphtest.Array, bias []float64, cfg graph.ConvConfig) graphtest.Array {
	sh, sw, dh, dw, groups := or1(cfg.Stride[0]), or1(cfg.Stride[1]), or1(cfg.Dilation[0]), or1(cfg.Dilation[1]),
		or1(cfg.Groups)
	ph, pw := cfg.Padding[0], cfg.Padding[1]
	o, ci, kh, kw := w.Shape[0], w.Shape[1], w.Shape[2], w.Shape[3]
	oh := (x.Shape[2]+2*ph+cfg.ExtraPadding[0]-dh*(kh-1)-1)/sh + 1
	ow := (x.Shape[3]+2*pw+cfg.ExtraPadding[1]-dw*(kw-1)-1)/sw + 1
	return graphtest.Map([]int{x.Shape[0], o, oh, ow}, func(i []int) float64 {
		sum := 0.0
		if bias != nil {
			sum = bias[i[1]]
		}
		group := i[1] / (o / groups)
		graphtest.Each([]int{ci, kh, kw}, func(k []int) {
			sum += x.At(i[0], group*ci+k[0], i[2]*sh-ph+k[1]*dh, i[3]*sw-pw+k[2]*dw) * w.At(i[1], k[0], k[1], k[2])
		})
		return sum
	})
}

// affineRef is scale[c]·x + shift[c] along axis 1, followed by max(·, 0) if asked.
func affineRef(x graphtest.Array, scale, shift []float64, relu bool) graphtest.Array {
	return graphtest.Map(x.Shape, func(i []int) float64 {
		v := scale[i[1]]*x.At(i...) + shift[i[1]]
		if relu {
			v = reluRef(v)
		}
		return v
	})
}

func reluRef(v float64) float64 {
	if v < 0 {
		return 0
	}
	return v
}

// poolRef is poolNDRef for two spatial axes.
func poolRef(x graphtest.Array, cfg graph.PoolConfig, average bool) graphtest.Array {
	end := []int{cfg.Padding[0] + cfg.ExtraPadding[0], cfg.Padding[1] + cfg.ExtraPadding[1]}
	return poolNDRef(x, graph.PoolNDConfig{
		Kernel: cfg.Kernel[:], Stride: cfg.Stride[:], Dilation: cfg.Dilation[:], PadBegin: cfg.Padding[:], PadEnd: end,
		CeilMode: cfg.CeilMode, CountIncludePad: cfg.CountIncludePad,
	}, average)
}

// poolNDRef is pooling by PyTorch's definition: the maximum of the points inside the input, or their sum over the
// divisor.
func poolNDRef(x graphtest.Array, cfg graph.PoolNDConfig, average bool) graphtest.Array {
	k, n := cfg.Kernel, len(cfg.Kernel)
	s, d, begin, end := make([]int, n), make([]int, n), make([]int, n), make([]int, n)
	copy(s, cfg.Stride)
	copy(d, cfg.Dilation)
	copy(begin, cfg.PadBegin)
	copy(end, cfg.PadEnd)
	shape := append([]int{}, x.Shape[:2]...)
	for a := range n {
		if d[a] = or1(d[a]); s[a] == 0 {
			s[a] = k[a]
		}
		in := x.Shape[2+a]
		room := float64(in + begin[a] + end[a] - d[a]*(k[a]-1) - 1)
		out := int(math.Floor(room/float64(s[a]))) + 1
		if cfg.CeilMode {
			out = int(math.Ceil(room/float64(s[a]))) + 1
			if (out-1)*s[a] >= in+begin[a] {
				out--
			}
		}
		shape = append(shape, out)
	}
	return graphtest.Map(shape, func(i []int) float64 {
		best, sum, inside, padded := math.Inf(-1), 0.0, 0, 0
		at := append([]int{}, i...)
		graphtest.Each(k, func(t []int) {
			in, pad := true, true
			for a := range n {
				at[2+a] = i[2+a]*s[a] - begin[a] + t[a]*d[a]
				in = in && at[2+a] >= 0 && at[2+a] < x.Shape[2+a]
				pad = pad && at[2+a] < x.Shape[2+a]+end[a]
			}
			if in {
				v := x.At(at...)
				if v > best || math.IsNaN(v) {
					best = v
				}
				sum += v
				inside++
			}
			if pad {
				padded++
			}
		})
		switch {
		case !average:
			return best
		case inside == 0:
			return 0
		case cfg.CountIncludePad:
			return sum / float64(padded)
		}
		return sum / float64(inside)
	})
}

// concatRef joins along axis 1.
func concatRef(xs ...graphtest.Array) graphtest.Array {
	shape := append([]int{}, xs[0].Shape...)
	shape[1] = 0
	for _, x := range xs {
		shape[1] += x.Shape[1]
	}
	return graphtest.Map(shape, func(i []int) float64 {
		j := append([]int{}, i...)
		for _, x := range xs {
			if j[1] < x.Shape[1] {
				return x.At(j...)
			}
			j[1] -= x.Shape[1]
		}
		panic("unreachable")
	})
}

// linearRef is x·wᵀ + b.
func linearRef(x, w graphtest.Array, bias []float64) graphtest.Array {
	return graphtest.Map([]int{x.Shape[0], w.Shape[0]}, func(i []int) float64 {
		sum := 0.0
		if bias != nil {
			sum = bias[i[1]]
		}
		for k := range x.Shape[1] {
			sum += x.At(i[0], k) * w.At(i[1], k)
		}
		return sum
	})
}

// lseRef is log Σ exp over axis 1 of a matrix, shifted by the maximum.
func lseRef(x graphtest.Array) graphtest.Array {
	return graphtest.Map(x.Shape[:1], func(i []int) float64 {
		best, sum := math.Inf(-1), 0.0
		for k := range x.Shape[1] {
			best = math.Max(best, x.At(i[0], k))
		}
		if math.IsInf(best, -1) {
			return best
		}
		for k := range x.Shape[1] {
			sum += math.Exp(x.At(i[0], k) - best)
		}
		return best + math.Log(sum)
	})
}

func logSoftmaxRef(x graphtest.Array) graphtest.Array {
	l := lseRef(x)
	return graphtest.Map(x.Shape, func(i []int) float64 { return x.At(i...) - l.Data[i[0]] })
}

func softmaxRef(x graphtest.Array) graphtest.Array {
	l := logSoftmaxRef(x)
	return graphtest.Map(x.Shape, func(i []int) float64 { return math.Exp(l.At(i...)) })
}
