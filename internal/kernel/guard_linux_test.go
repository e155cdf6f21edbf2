package kernel

import "syscall"

// mapBetweenGuards returns size bytes of memory between two pages that fault when touched.
func mapBetweenGuards(size int) []byte {
	m, err := syscall.Mmap(-1, 0, size+2*canPage, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for _, at := range []int{0, canPage + size} {
		if err := syscall.Mprotect(m[at:at+canPage], syscall.PROT_NONE); err != nil {
			panic(err)
		}
	}
	return m
}

func unmap(m []byte) { _ = syscall.Munmap(m) }
