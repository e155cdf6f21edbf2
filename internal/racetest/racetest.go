// Package racetest keeps tests that no race can be in from the race detector, which makes them ten to twenty times
// slower, for tests only.
package racetest

import "testing"

// OneGoroutine skips a test that computes on one goroutine, or on several that share nothing, where the race detector
// runs. Without it the test runs in full.
func OneGoroutine(t testing.TB) {
	t.Helper()
	if On {
		t.Skip("computes on one goroutine: nothing for the race detector")
	}
}
