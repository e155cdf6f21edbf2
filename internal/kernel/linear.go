package kernel

// Linear computes dst [n, out] = x [n, in] · wᵀ + bias, with w [out, in] and bias [out] or nil. The bits of a row do not
// depend on n.
func Linear[T Float](dst, x, w, bias []T, n, in, out int) {
	for i := range n {
		row := x[i*in:][:in]
		for o := range out {
			v := dotGeneric(row, w[o*in:][:in])
			if bias != nil {
				v += bias[o]
			}
			dst[i*out+o] = v
		}
	}
}

// LinearBackwardInput computes dx [n, in] = dy [n, out] · w [out, in].
func LinearBackwardInput[T Float](dx, dy, w []T, n, in, out int) {
	for i := range n {
		row := dx[i*in:][:in]
		clear(row)
		for o := range out {
			axpyGeneric(row, w[o*in:][:in], dy[i*out+o])
		}
	}
}

// LinearBackwardWeight adds dyᵀ · x to dw [out, in] and, unless it is nil, the sum of dy to dbias [out];
// x is [n, in], dy [n, out].
func LinearBackwardWeight[T Float](dw, dbias, x, dy []T, n, in, out int) {
	for o := range out {
		for i := range n {
			g := dy[i*out+o]
			axpyGeneric(dw[o*in:][:in], x[i*in:][:in], g)
			if dbias != nil {
				dbias[o] += g
			}
		}
	}
}

// RoutedLinear is LINe's weight-pruned final layer (arXiv 2303.13995) for one sample z [in]:
// dst[j] = bias[j] + the sum of z[i]*w[j, i] over the i with absC[i]*w[j, i] > threshold.
// w is [out, in], bias [out] or nil, absC [in] the absolute contributions of the sample's class.
func RoutedLinear[T Float](dst, z, w, bias, absC []T, threshold T, in, out int) {
	z, absC = z[:in], absC[:in]
	for j := range out {
		var sum T
		for i, v := range w[j*in:][:in] {
			if T(absC[i]*v) > threshold {
				sum += z[i] * v
			}
		}
		if bias != nil {
			sum += bias[j]
		}
		dst[j] = sum
	}
}

// RoutedLinearBackwardInput computes dz [in] from dy [out]: the sum of dy[j]*w[j, i] over the j whose weight
// RoutedLinear keeps.
func RoutedLinearBackwardInput[T Float](dz, dy, w, absC []T, threshold T, in, out int) {
	dz, absC = dz[:in], absC[:in]
	clear(dz)
	for j := range out {
		g := dy[j]
		for i, v := range w[j*in:][:in] {
			if T(absC[i]*v) > threshold {
				dz[i] += g * v
			}
		}
	}
}
