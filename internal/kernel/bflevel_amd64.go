//go:build amd64 && !noasm

package kernel

import (
	"slices"

	"golang.org/x/sys/cpu"
)

func detectBFloat16() bfLevel {
	switch {
	case !slices.Contains(detect(), avx512) || !cpu.X86.HasAVX512BF16:
		return bfPortable
	case cpu.X86.HasAMXTile && cpu.X86.HasAMXBF16 && amxAllowed():
		return bfAMX
	}
	return bfDots
}
