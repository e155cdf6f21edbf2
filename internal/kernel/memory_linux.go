package kernel

import "golang.org/x/sys/unix"

// adviseHuge asks Linux to use huge pages for b, which starts at a page boundary, and to convert pages that exist
// already. The system may refuse; nothing depends on it.
func adviseHuge(b []byte) {
	if b = b[:len(b)&^(hugePage-1)]; len(b) > 0 && unix.Madvise(b, unix.MADV_HUGEPAGE) == nil {
		_ = unix.Madvise(b, unix.MADV_COLLAPSE)
	}
}
