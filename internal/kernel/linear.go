package kernel

// Linear computes dst [n, out] = x [n, in] · wᵀ + bias, with w [out, in] and bias [out] or nil. The bits of a row do
// not depend on n.
func Linear[T Float](dst, x, w, bias []T, n, in, out int) {
	dst, x, w = dst[:n*out], x[:n*in], w[:in*out]
	for i := range n {
		row := dst[i*out:][:out]
		if bias == nil {
			clear(row)
		} else {
			copy(row, bias[:out])
		}
	}
	if n == 0 || in == 0 || out == 0 || is32[T]() && dots32(n, in, as32(x), in, as32(w), in, out, as32(dst), out) {
		return
	}
	for i := range n {
		for o := range out {
			dst[i*out+o] += dotGeneric(x[i*in:][:in], w[o*in:][:in])
		}
	}
}

// spreadColumns is the number of columns of a matrix that stay in cache while all rows of a batch are processed.
const spreadColumns = 128

// LinearBackwardInput computes dx [n, in] = dy [n, out] · w [out, in].
func LinearBackwardInput[T Float](dx, dy, w []T, n, in, out int) {
	dx, dy, w = dx[:n*in], dy[:n*out], w[:in*out]
	clear(dx)
	for at := 0; at < in; at += spreadColumns {
		width := min(spreadColumns, in-at)
		for i := range n {
			spreadRows(dx[i*in+at:][:width], dy[i*out:][:out], w[at:], in)
		}
	}
}

// spreadRows adds coef[j] times row j of w to dst, one row after the other. Rows of w are ldw elements apart.
func spreadRows[T Float](dst, coef, w []T, ldw int) {
	if is32[T]() && spread32(as32(dst), as32(coef), as32(w), ldw, nil, 0) {
		return
	}
	for j, v := range coef {
		axpyGeneric(dst, w[j*ldw:][:len(dst)], v)
	}
}

// LinearBackwardWeight adds dyᵀ · x to dw [out, in] and, unless dbias is nil, the sum of dy over the batch to dbias
// [out]; x is [n, in], dy [n, out].
func LinearBackwardWeight[T Float](dw, dbias, x, dy []T, n, in, out int) {
	dw, x, dy = dw[:in*out], x[:n*in], dy[:n*out]
	var coef [64]T
	for first := 0; first < n; first += len(coef) {
		last := min(first+len(coef), n)
		for o := range out {
			for i := first; i < last; i++ {
				coef[i-first] = dy[i*out+o]
			}
			spreadRows(dw[o*in:][:in], coef[:last-first], x[first*in:], in)
			if dbias != nil {
				dbias[o] += sumGeneric(coef[:last-first])
			}
		}
	}
}

// RoutedLinear is LINe's weight-pruned final layer (arXiv 2303.13995) for one sample z [in]:
// dst[j] = bias[j] + the sum of z[i]*w[j, i] over the i with absC[i]*w[j, i] > threshold.
// w is [out, in], bias [out] or nil, absC [in] the absolute contributions of the sample's class. The product is rounded
// to T and the comparison strict, so the same weights are kept whatever the instruction set.
func RoutedLinear[T Float](dst, z, w, bias, absC []T, threshold T, in, out int) {
	dst, z, w, absC = dst[:out], z[:in], w[:in*out], absC[:in]
	if bias == nil {
		clear(dst)
	} else {
		copy(dst, bias[:out])
	}
	if is32[T]() && routed32(as32(dst), as32(z), as32(w), as32(absC), float32(threshold)) {
		return
	}
	for j := range dst {
		var sum T
		for i, v := range w[j*in:][:in] {
			if T(absC[i]*v) > threshold {
				sum += z[i] * v
			}
		}
		dst[j] += sum
	}
}

// routedBytes is the number of bytes of weights that stay in cache while all samples of a batch are processed.
const routedBytes = 128 << 10

// RoutedLinearBatch is RoutedLinear for the n = len(class) samples of z [n, in] and dst [n, out], with the
// contributions absC [classes, in] and the thresholds [classes] of all classes and the class of each sample. The bits
// equal those of n calls of RoutedLinear; the weights are read from memory once.
func RoutedLinearBatch[T Float](dst, z, w, bias, absC []T, class []int, threshold []T, in, out int) {
	step := max(4, routedBytes/8/max(in, 1)&^3)
	for j := 0; j < out; j += step {
		rows := min(step, out-j)
		var b []T
		if bias != nil {
			b = bias[j:]
		}
		for i, k := range class {
			RoutedLinear(dst[i*out+j:], z[i*in:], w[j*in:], b, absC[k*in:], threshold[k], in, rows)
		}
	}
}

// RoutedLinearBackwardInput computes dz [in] from dy [out]: the sum of dy[j]*w[j, i] over the j whose weight
// RoutedLinear keeps.
func RoutedLinearBackwardInput[T Float](dz, dy, w, absC []T, threshold T, in, out int) {
	dz, dy, w, absC = dz[:in], dy[:out], w[:in*out], absC[:in]
	clear(dz)
	if is32[T]() && spread32(as32(dz), as32(dy), as32(w), in, as32(absC), float32(threshold)) {
		return
	}
	for j, g := range dy {
		for i, v := range w[j*in:][:in] {
			if T(absC[i]*v) > threshold {
				dz[i] += g * v
			}
		}
	}
}
