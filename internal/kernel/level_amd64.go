//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

// detect returns the levels that the CPU supports, lowest first.
func detect() []level {
	levels := []level{generic, avx2, avx512}
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasBMI2:
		return levels[:1]
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW:
		return levels
	}
	return levels[:2]
}
