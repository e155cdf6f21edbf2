package kernel

import "unsafe"

// hugePage is the size of the pages that Memory asks for, cacheLine what it aligns to otherwise.
const (
	hugePage  = 2 << 20
	cacheLine = 64
)

// Memory returns n zeros that start at a cache line. From half a huge page on they start at one, and Linux is asked for
// such pages: maps that are walked through once for every image cost less to translate then. The memory is the garbage
// collector's like any other.
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
