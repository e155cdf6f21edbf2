package ostest

import (
	"syscall"
	"testing"
)

// FullDevice makes a device file at path that behaves like a full disk.
func FullDevice(t testing.TB, path string) {
	t.Helper()
	const charDevice, fullDevice = syscall.S_IFCHR | 0o600, 1<<8 | 7 // type and number of Linux's /dev/full
	if err := syscall.Mknod(path, charDevice, fullDevice); err != nil {
		t.Skipf("cannot make a device that is always full: %v", err)
	}
}
