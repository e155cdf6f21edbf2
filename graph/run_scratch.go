package graph

import "github.com/line-ood/goline/internal/kernel"

// scratch is memory that the operations of one replica use in turn: what one of them leaves there, the next overwrites.
// A replica runs one operation after the other.
type scratch struct {
	f32 []float32
	f64 []float64
}

// take returns n elements of unspecified content that are good until another operation takes some.
func take[T kernel.Float](s *scratch, n int) (out []T) {
	switch to := any(&out).(type) {
	case *[]float32:
		*to = enlarged(&s.f32, n)
	case *[]float64:
		*to = enlarged(&s.f64, n)
	}
	return out
}

// enlarged returns n elements of *s, which it makes anew where that is shorter.
func enlarged[T kernel.Float](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = kernel.Memory[T](n)
	}
	return (*s)[:n]
}
