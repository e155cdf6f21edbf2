//go:build !linux

package ostest

import "testing"

// FullDevice skips the test.
func FullDevice(t testing.TB, path string) {
	t.Helper()
	t.Skipf("%s: this system has no device that is always full", path)
}
