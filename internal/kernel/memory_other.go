//go:build !linux

package kernel

// adviseHuge does nothing where huge pages cannot be asked for.
func adviseHuge([]byte) {}
