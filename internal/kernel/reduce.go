package kernel

// ReduceSum computes dst [outer, inner], the sums over the middle axis of src [outer, k, inner].
func ReduceSum[T Float](dst, src []T, outer, k, inner int) {
	if inner == 1 {
		sumRows(dst[:outer], src, k)
		return
	}
	for o := range outer {
		d, s := dst[o*inner:][:inner], src[o*k*inner:][:k*inner]
		copy(d, s)
		for i := 1; i < k; i++ {
			AddTo(d, s[i*inner:][:inner])
		}
	}
}

// sumChunk is the number of elements of a row that are summed at a time.
const sumChunk = 64

// sumRows computes the sum of each row of src [rows, k] into dst [rows].
func sumRows[T Float](dst, src []T, k int) {
	clear(dst)
	var ones [sumChunk]T
	for i := range ones {
		ones[i] = 1
	}
	for at := 0; at < k; at += len(ones) {
		n := min(len(ones), k-at)
		if is32[T]() && dots32(len(dst), n, as32(src[at:]), k, as32(ones[:]), 0, 1, as32(dst), 1) {
			continue
		}
		for i := range dst {
			dst[i] += sumGeneric(src[i*k+at:][:n])
		}
	}
}

// ReduceMax computes dst [outer, inner], the maxima over the middle axis of src [outer, k, inner]. NaN is larger than
// any number.
func ReduceMax[T Float](dst, src []T, outer, k, inner int) {
	if inner == 1 {
		for o := range outer {
			dst[o] = largest(src[o*k:][:k])
		}
		return
	}
	for o := range outer {
		d, s := dst[o*inner:][:inner], src[o*k*inner:][:k*inner]
		copy(d, s)
		for i := 1; i < k; i++ {
			Maximum(d, d, s[i*inner:][:inner])
		}
	}
}

// ReduceMin computes dst [outer, inner], the minima over the middle axis of src [outer, k, inner]. NaN is smaller than
// any number.
func ReduceMin[T Float](dst, src []T, outer, k, inner int) {
	if inner == 1 {
		for o := range outer {
			dst[o] = smallest(src[o*k:][:k])
		}
		return
	}
	for o := range outer {
		d, s := dst[o*inner:][:inner], src[o*k*inner:][:k*inner]
		copy(d, s)
		for i := 1; i < k; i++ {
			Minimum(d, d, s[i*inner:][:inner])
		}
	}
}

// largest returns the largest element, NaN if one is.
func largest[T Float](a []T) T {
	if is32[T]() {
		if m, ok := extreme32(as32(a), false); ok {
			return T(m)
		}
	}
	m := a[0]
	for _, v := range a[1:] {
		m = larger(m, v)
	}
	return m
}

// smallest returns the smallest element, NaN if one is.
func smallest[T Float](a []T) T {
	if is32[T]() {
		if m, ok := extreme32(as32(a), true); ok {
			return T(m)
		}
	}
	m := a[0]
	for _, v := range a[1:] {
		m = smaller(m, v)
	}
	return m
}

// larger returns the larger of two numbers, NaN if either is.
func larger[T Float](a, b T) T {
	if b > a || b != b && a == a {
		return b
	}
	return a
}

// smaller returns the smaller of two numbers, NaN if either is.
func smaller[T Float](a, b T) T {
	if b < a || b != b && a == a {
		return b
	}
	return a
}
