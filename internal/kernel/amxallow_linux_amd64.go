//go:build !noasm

package kernel

import "syscall"

// amxAllowed asks Linux for permission to use AMX. Without it the kernel keeps no room for the tiles of a process.
func amxAllowed() bool {
	const (
		requestPermission = 0x1023 // ARCH_REQ_XCOMP_PERM of arch_prctl(2)
		tileData          = 18     // its bit in XCR0
	)
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return errno == 0
}
