//go:build (!amd64 && !arm64) || noasm

package kernel

// right32 stands for the vector form of a Right[float32], which this build does not have.
type right32 struct{}

func newRight32(k, n int) *right32 { return nil }

func (*right32) pack(b []float32, transposed bool) { panic("kernel: no vector code in this build") }

func (*right32) scratchLen(m int) int { panic("kernel: no vector code in this build") }

func (*right32) mulPart(dst, a []float32, m int, accumulate bool, scratch []float32, part, parts int) {
	panic("kernel: no vector code in this build")
}

func (*right32) mul(dst, a []float32, m int, transposed, accumulate bool, scratch []float32) {
	panic("kernel: no vector code in this build")
}
