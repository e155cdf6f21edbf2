// Package racetest skips tests in which there can be no race when the race detector is on, since it makes them ten to
// twenty times slower.
package racetest

import "testing"

// OneGoroutine skips, under the race detector, a test that computes on one goroutine or on several that share nothing.
// Without the race detector the test runs in full.
func OneGoroutine(t testing.TB) {
	t.Helper()
	if On {
		t.Skip("computes on one goroutine: nothing for the race detector")
	}
}
