//go:build !linux

package kernel

// mapBetweenGuards returns nil: there are no such pages here.
func mapBetweenGuards(int) []byte { return nil }

func unmap([]byte) {}
