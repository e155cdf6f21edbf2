//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// packedMemory returns n zeros for packed weights. Linux is asked to use the huge pages that lie entirely inside. The
// memory is not aligned as by Memory, which would take megabytes more for the many weights of a network.
func packedMemory(n int) []float32 {
	s := make([]float32, n)
	from := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) % hugePage)
	if size := 4*n - from; size >= hugePage {
		adviseHuge(unsafe.Slice((*byte)(unsafe.Pointer(&s[from/4])), size))
	}
	return s
}
