package graph

import "github.com/line-ood/goline/internal/kernel"

// scratch is working memory for the operations of one replica. They run one after the other, and each overwrites what
// the one before has left there.
type scratch struct {
	f32 []float32
	f64 []float64
}

// take returns n elements of unspecified content. They are valid until another operation calls take.
func take[T kernel.Float](s *scratch, n int) (out []T) {
	switch to := any(&out).(type) {
	case *[]float32:
		*to = enlarged(&s.f32, n)
	case *[]float64:
		*to = enlarged(&s.f64, n)
	}
	return out
}

// enlarged returns the first n elements of *s, which it reallocates where it is too short.
func enlarged[T kernel.Float](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = kernel.Memory[T](n)
	}
	return (*s)[:n]
}
