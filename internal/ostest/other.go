//go:build !unix

// Package ostest has what tests ask of an operating system; where a system lacks it, a test that asks is skipped and
// says so.
package ostest

import "testing"

// Mkfifo skips the test.
func Mkfifo(t testing.TB, path string) {
	t.Helper()
	t.Skipf("%s: this system has no named pipes", path)
}

// CPUSeconds skips the test.
func CPUSeconds(t testing.TB) float64 {
	t.Helper()
	t.Skip("this system does not tell the processor time of a process")
	return 0
}
