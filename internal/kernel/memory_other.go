//go:build !linux

package kernel

// adviseHuge does nothing on systems where it cannot ask for huge pages.
func adviseHuge([]byte) {}
