package kernel

// Shift computes dst = a + s. dst may be a.
func Shift[T Float](dst, a []T, s T) {
	shift := [1]T{s}
	Affine(dst, a, nil, shift[:], 1, len(a), false)
}

// Sub computes dst = a - b. dst may be a or b.
func Sub[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	for i, v := range a {
		dst[i] = v - b[i]
	}
}

// Div computes dst = a / b. dst may be a or b.
func Div[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	for i, v := range a {
		dst[i] = v / b[i]
	}
}

// Maximum computes the larger of a and b, NaN where either is. dst may be a or b.
func Maximum[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	for i, v := range a {
		dst[i] = larger(v, b[i])
	}
}

// Minimum computes the smaller of a and b, NaN where either is. dst may be a or b.
func Minimum[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	for i, v := range a {
		dst[i] = smaller(v, b[i])
	}
}
