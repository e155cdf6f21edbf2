//go:build !linux

package ostest

import "testing"

// FullDevice skips the test: it can make such a device on Linux only.
func FullDevice(t testing.TB, path string) {
	t.Helper()
	t.Skipf("%s: this system has no device that is always full", path)
}
