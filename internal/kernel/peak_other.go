//go:build (!amd64 && !arm64) || noasm

package kernel

func peakRun() float64 { return peakGeneric() }
