//go:build race

package racetest

// On tells whether the race detector runs.
const On = true
