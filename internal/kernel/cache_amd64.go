//go:build amd64 && !noasm

package kernel

// cpuidArgs are the argument and the results of cpuid: what EAX, EBX, ECX and EDX hold.
type cpuidArgs struct {
	leaf      uint32
	registers [4]uint32
}

// secondCache is how many bytes the second-level cache of a core has; where the processor does not say, what all of
// them have.
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
