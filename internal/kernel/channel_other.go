//go:build !amd64 || noasm

package kernel

// Without kernels for all rows of a sample, those for one row run.

func (f *BatchNorm[T]) sums32([]float32) bool { return false }

func (f *BatchNorm[T]) forward32(dst, x, residual []float32) bool { return false }

func (g *BatchNormGradient[T]) sums32(dy, x []float32) bool { return false }

func (g *BatchNormGradient[T]) backward32(dx, dy, x []float32) bool { return false }
