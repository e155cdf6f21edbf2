//go:build !noasm

package kernel

import "syscall"

// amxAllowed asks Linux for the state of tiles, which a process has no room for until it does.
func amxAllowed() bool {
	const (
		requestPermission = 0x1023 // ARCH_REQ_XCOMP_PERM of arch_prctl(2)
		tileData          = 18     // its bit in XCR0
	)
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return errno == 0
}
