//go:build unix

// Package ostest provides operating system features for tests. A test that asks for a feature which the system lacks is
// skipped with a message.
package ostest

import (
	"syscall"
	"testing"
)

// Mkfifo makes a named pipe.
func Mkfifo(t testing.TB, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatalf("mkfifo %s: %v", path, err)
	}
}

// CPUSeconds returns the processor time of this process in seconds. Unlike elapsed time it depends little on other
// processes.
func CPUSeconds(t testing.TB) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatalf("getrusage: %v", err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
