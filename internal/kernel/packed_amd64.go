//go:build amd64 && !noasm

package kernel

import "unsafe"

// packedMemory returns n zeros for packed weights. Linux is asked for the huge pages that lie within: aligned as Memory
// aligns, the many weights of a network would take megabytes more.
func packedMemory(n int) []float32 {
	s := make([]float32, n)
	from := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) % hugePage)
	if size := 4*n - from; size >= hugePage {
		adviseHuge(unsafe.Slice((*byte)(unsafe.Pointer(&s[from/4])), size))
	}
	return s
}
