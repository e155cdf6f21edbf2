package kernel

import "golang.org/x/sys/unix"

// adviseHuge asks for huge pages under b, which starts at one; those that are there already are made into some. Nothing
// depends on whether the system agrees.
func adviseHuge(b []byte) {
	if b = b[:len(b)&^(hugePage-1)]; len(b) > 0 && unix.Madvise(b, unix.MADV_HUGEPAGE) == nil {
		_ = unix.Madvise(b, unix.MADV_COLLAPSE)
	}
}
