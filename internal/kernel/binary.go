package kernel

// pairOp is an elementwise operation, of two arrays or of an array and a number, that has vector code.
type pairOp int

const (
	opSub     pairOp = iota // dst = a - b
	opDiv                   // dst = a / b
	opDivBy                 // dst = a / s
	opOver                  // dst = s / a
	opSmaller               // dst = min(a, b), NaN if either is
)

func pair[T Float](op pairOp, dst, a, b []T, s T) bool {
	return is32[T]() && pair32(op, as32(dst), as32(a), as32(b), float32(s))
}

// Shift computes dst = a + s. dst may be a.
func Shift[T Float](dst, a []T, s T) {
	shift := [1]T{s}
	Affine(dst, a, nil, shift[:], 1, len(a), false)
}

// Sub computes dst = a - b. dst may be a or b.
func Sub[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	if pair(opSub, dst, a, b, 0) {
		return
	}
	for i, v := range a {
		dst[i] = v - b[i]
	}
}

// SubFrom computes dst = s - a. dst may be a.
func SubFrom[T Float](dst []T, s T, a []T) {
	scale, shift := [1]T{-1}, [1]T{s}
	Affine(dst, a, scale[:], shift[:], 1, len(a), false)
}

// Div computes dst = a / b. dst may be a or b.
func Div[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	if pair(opDiv, dst, a, b, 0) {
		return
	}
	for i, v := range a {
		dst[i] = v / b[i]
	}
}

// DivBy computes dst = a / s. dst may be a.
func DivBy[T Float](dst, a []T, s T) {
	dst = dst[:len(a)]
	if pair(opDivBy, dst, a, nil, s) {
		return
	}
	for i, v := range a {
		dst[i] = v / s
	}
}

// DivInto computes dst = s / a. dst may be a.
func DivInto[T Float](dst []T, s T, a []T) {
	dst = dst[:len(a)]
	if pair(opOver, dst, a, nil, s) {
		return
	}
	for i, v := range a {
		dst[i] = s / v
	}
}

// Maximum computes the larger of a and b, NaN where either is. dst may be a or b.
func Maximum[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	if is32[T]() && (&stream{op: opLarger, dst: as32(dst), a: as32(a), b: as32(b)}).run() {
		return
	}
	for i, v := range a {
		dst[i] = larger(v, b[i])
	}
}

// AtLeast computes the larger of a and s, NaN where either is. dst may be a.
func AtLeast[T Float](dst, a []T, s T) {
	dst = dst[:len(a)]
	if is32[T]() && s == s && (&stream{op: opAtLeast, dst: as32(dst), a: as32(a), floor: float32(s)}).run() {
		return
	}
	for i, v := range a {
		dst[i] = larger(v, s)
	}
}

// Minimum computes the smaller of a and b, NaN where either is. dst may be a or b.
func Minimum[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	if pair(opSmaller, dst, a, b, 0) {
		return
	}
	for i, v := range a {
		dst[i] = smaller(v, b[i])
	}
}

// AtMost computes the smaller of a and s, NaN where either is. dst may be a.
func AtMost[T Float](dst, a []T, s T) {
	dst = dst[:len(a)]
	if is32[T]() && s == s && (&stream{op: opAtMost1, dst: as32(dst), a: as32(a), s: float32(s)}).run() {
		return
	}
	for i, v := range a {
		dst[i] = smaller(v, s)
	}
}

// fewest is the length of a row from which a call of vector code pays off.
const fewest = 6

// ScaleRows computes dst[i, j] = s[i] * a[i, j] for rows of n elements, one for each element of s. dst may be a.
func ScaleRows[T Float](dst, a, s []T, n int) {
	vector := is32[T]() && n >= fewest && currentLevel() != generic
	st := stream{op: opScale}
	for i, v := range s {
		to, from := dst[i*n:][:n], a[i*n:][:n]
		if vector {
			st.dst, st.a, st.s = as32(to), as32(from), float32(v)
			st.run()
			continue
		}
		for j, w := range from {
			to[j] = v * w
		}
	}
}

// ShiftRows computes dst[i, j] = s[i] + a[i, j] for rows of n elements, one for each element of s. dst may be a.
func ShiftRows[T Float](dst, a, s []T, n int) {
	if n >= fewest {
		Affine(dst, a, nil, s, len(s), n, false)
		return
	}
	for i, v := range s {
		to, from := dst[i*n:][:n], a[i*n:][:n]
		for j, w := range from {
			to[j] = v + w
		}
	}
}
