package posthoc

import "github.com/line-ood/goline/internal/mathx"

// lanes is the number of samples whose logits are computed together: enough independent sums to keep the processor
// busy. Each sum is still taken in the order of the features.
const lanes = 4

// lane holds one value for each sample of such a group.
type lane = [lanes]float64

// tile is the number of groups that use a weight while it is in cache.
const tile = 4

// throughLanes computes the logits of n samples. It rearranges z into groups [group, feature, lane], for which logits
// writes l [group, class, lane].
func throughLanes(dst, z []float64, n, features, classes int, logits func(l, z []lane)) {
	zs, ls := make([]lane, tile*features), make([]lane, tile*classes)
	for lo := 0; lo < n; lo += tile * lanes {
		hi := min(n, lo+tile*lanes)
		for i := lo; i < hi; i++ {
			group, j := (i-lo)/lanes, (i-lo)%lanes
			to := zs[group*features:]
			for d, v := range z[i*features : (i+1)*features] {
				to[d][j] = v
			}
		}
		groups := (hi - lo + lanes - 1) / lanes
		logits(ls, zs[:groups*features]) // lanes beyond hi hold old values, which are not read
		for i := lo; i < hi; i++ {
			group, j := (i-lo)/lanes, (i-lo)%lanes
			from := ls[group*classes:]
			for k := range dst[i*classes : (i+1)*classes] {
				dst[i*classes+k] = from[k][j]
			}
		}
	}
}

// dense is a head with all its weights.
type dense struct {
	classes, features int
	weight            []float64 // shape [class, feature]
	bias              []float64
}

func newDense(h Head) *dense {
	return &dense{h.Classes, h.FeatureDim, mathx.Float64s(h.Weight), mathx.Float64s(h.Bias)}
}

// Logits computes W z + b.
func (h *dense) Logits(dst, z []float64, n int) {
	throughLanes(dst, z, n, h.features, h.classes, h.logits)
}

func (h *dense) logits(l, z []lane) {
	groups := len(z) / h.features
	for k := 0; k < h.classes; k += 2 {
		other := min(k+1, h.classes-1) // with an odd number of classes the last one is computed twice
		w := h.weight[k*h.features:][:h.features]
		v := h.weight[other*h.features:][:h.features]
		for g := range groups {
			to := l[g*h.classes:]
			to[k], to[other] = twoRows(w, v, z[g*h.features:][:h.features], h.bias[k], h.bias[other])
		}
	}
}

// twoRows returns w z + a and v z + b; w and v have shape [feature], z [feature, lane].
func twoRows(w, v []float64, z []lane, a, b float64) (lane, lane) {
	w, v = w[:len(z)], v[:len(z)]
	// Eight scalars instead of arrays, because the compiler would keep arrays in memory.
	var a0, a1, a2, a3, b0, b1, b2, b3 float64
	for d := range z {
		x := &z[d]
		p, q := w[d], v[d]
		// The conversions prevent fused multiply-add, which only some processors have and which changes the last bit.
		a0 += float64(p * x[0])
		a1 += float64(p * x[1])
		a2 += float64(p * x[2])
		a3 += float64(p * x[3])
		b0 += float64(q * x[0])
		b1 += float64(q * x[1])
		b2 += float64(q * x[2])
		b3 += float64(q * x[3])
	}
	return lane{a0 + a, a1 + a, a2 + a, a3 + a}, lane{b0 + b, b1 + b, b2 + b, b3 + b}
}

// sparse is a head with most weights masked.
type sparse struct {
	features int
	start    []int // start of each class in the two slices below, shape [class+1]
	feature  []int32
	weight   []float64
	bias     []float64
}

// newSparse makes a head of the weights for which keep returns true.
func newSparse(h Head, keep func(class, feature int) bool) *sparse {
	out := &sparse{features: h.FeatureDim, start: make([]int, 1, h.Classes+1), bias: mathx.Float64s(h.Bias)}
	for k := range h.Classes {
		for d := range h.FeatureDim {
			if keep(k, d) {
				out.feature = append(out.feature, int32(d))
				out.weight = append(out.weight, float64(h.Weight[k*h.FeatureDim+d]))
			}
		}
		out.start = append(out.start, len(out.weight))
	}
	return out
}

// Logits computes W z + b with the kept weights.
func (h *sparse) Logits(dst, z []float64, n int) {
	throughLanes(dst, z, n, h.features, len(h.bias), h.logits)
}

func (h *sparse) logits(l, z []lane) {
	classes, groups := len(h.bias), len(z)/h.features
	for k, bias := range h.bias {
		at := h.feature[h.start[k]:h.start[k+1]]
		w := h.weight[h.start[k]:h.start[k+1]][:len(at)]
		for g := range groups {
			x := z[g*h.features:][:h.features]
			var a0, a1, a2, a3 float64
			for i, d := range at {
				x, p := &x[d], w[i]
				a0 += float64(p * x[0])
				a1 += float64(p * x[1])
				a2 += float64(p * x[2])
				a3 += float64(p * x[3])
			}
			l[g*classes+k] = lane{a0 + bias, a1 + bias, a2 + bias, a3 + bias}
		}
	}
}
