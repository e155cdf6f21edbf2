//go:build arm64 && !noasm

package kernel

// detect returns the levels that the CPU supports, lowest first. Every CPU of arm64 has NEON.
func detect() []level { return []level{generic, neon} }
