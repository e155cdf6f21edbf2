package kernel

// streamOp is an elementwise operation that has vector code.
type streamOp int

const (
	opAdd          streamOp = iota // dst = a + b
	opMul                          // dst = a * b
	opScale                        // dst = s * a
	opAxpy                         // dst += s * a
	opAffine                       // dst = max(floor, s*a + t)
	opAtLeast                      // dst = max(floor, a)
	opAtMost                       // dst = min(a, b)
	opAtMost1                      // dst = min(a, s)
	opLarger                       // dst = max(a, b), NaN if either is
	opWhereAtMost                  // dst = a where c <= b, zero elsewhere
	opWhereAtMost1                 // dst = a where c <= s, zero elsewhere
	opMix                          // dst = b where a is s, c where a is t, c + a*(b-c) elsewhere
	opNormBack                     // dst = s*a + (t*(b-m) + floor)
)

// stream is an elementwise operation on all elements of dst.
type stream struct {
	op             streamOp
	dst, a, b, c   []float32
	s, t, floor, m float32
}
