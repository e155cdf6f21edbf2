//go:build !unix

// Package ostest provides operating system features for tests. A test that asks for a feature which the system lacks is
// skipped with a message.
package ostest

import "testing"

// Mkfifo skips the test: this system has no named pipes in its file system.
func Mkfifo(t testing.TB, path string) {
	t.Helper()
	t.Skipf("%s: this system has no named pipes", path)
}

// CPUSeconds skips the test: on this system it cannot measure processor time.
func CPUSeconds(t testing.TB) float64 {
	t.Helper()
	t.Skip("this system does not tell the processor time of a process")
	return 0
}
