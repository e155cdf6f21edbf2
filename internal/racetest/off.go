//go:build !race

package racetest

// On tells whether the race detector is on.
const On = false
