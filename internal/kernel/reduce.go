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

// sumChunk is how many elements of a row are summed at a time.
const sumChunk = 64

// sumRows computes the sum of each row of src [rows, k]; dst has as many elements as there are rows.
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

// ReduceMax computes dst [outer, inner], the maxima over the middle axis of src [outer, k, inner]. NaN is larger than any number.
func ReduceMax[T Float](dst, src []T, outer, k, inner int) {
	reduceBy(dst, src, outer, k, inner, larger[T], Maximum[T])
}

// ReduceMin computes dst [outer, inner], the minima over the middle axis of src [outer, k, inner]. NaN is smaller than any number.
func ReduceMin[T Float](dst, src []T, outer, k, inner int) {
	reduceBy(dst, src, outer, k, inner, smaller[T], Minimum[T])
}

func reduceBy[T Float](dst, src []T, outer, k, inner int, one func(a, b T) T, many func(dst, a, b []T)) {
	for o := range outer {
		d, s := dst[o*inner:][:inner], src[o*k*inner:][:k*inner]
		if inner == 1 {
			m := s[0]
			for _, v := range s[1:] {
				m = one(m, v)
			}
			d[0] = m
			continue
		}
		copy(d, s)
		for i := 1; i < k; i++ {
			many(d, d, s[i*inner:][:inner])
		}
	}
}

// larger returns the larger of two numbers, NaN if either is.
func larger[T Float](a, b T) T {
	if b > a || b != b {
		return b
	}
	return a
}

// smaller returns the smaller of two numbers, NaN if either is.
func smaller[T Float](a, b T) T {
	if b < a || b != b {
		return b
	}
	return a
}
