//go:build amd64 && !noasm

package kernel

// cpuidArgs are the argument of the CPUID instruction and its results EAX, EBX, ECX and EDX.
type cpuidArgs struct {
	leaf      uint32
	registers [4]uint32
}

// secondCache is the size in bytes of a core's second-level cache, or a size that nearly all processors have if the
// processor does not tell.
var secondCache = func() int {
	const least = 512 << 10
	a := cpuidArgs{leaf: 0x80000000}
	if cpuid(&a); a.registers[0] < 0x80000006 {
		return least
	}
	a = cpuidArgs{leaf: 0x80000006}
	cpuid(&a)
	return max(least, int(a.registers[2]>>16)<<10)
}()
