//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

func detectBFloat16() bfLevel {
	switch {
	case detect() != avx512 || !cpu.X86.HasAVX512BF16:
		return bfPortable
	case cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && amxAllowed():
		return bfAMX
	}
	return bfDots
}
