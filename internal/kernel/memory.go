package kernel

import "unsafe"

// hugePage is the page size that Memory asks for; cacheLine is its alignment for less memory.
const (
	hugePage  = 2 << 20
	cacheLine = 64
)

// Memory returns n zeros, aligned to a cache line. From half a huge page on they are aligned to a huge page, and Linux
// is asked to use huge pages: for maps that are read once per image, these make address translation cheaper. The memory
// is garbage collected like any other.
func Memory[T Float](n int) []T {
	var z T
	size := int(unsafe.Sizeof(z))
	align := cacheLine
	huge := n > hugePage/2/size
	if huge {
		align = hugePage
	}
	s := make([]T, n+align/size)
	from := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) % uintptr(align) / uintptr(size))
	s = s[from:][:n:n]
	if huge {
		adviseHuge(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), n*size))
	}
	return s
}
