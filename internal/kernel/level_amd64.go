//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

func detect() level {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA || !cpu.X86.HasBMI2:
		return generic
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BW:
		return avx512
	}
	return avx2
}
