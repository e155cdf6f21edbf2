//go:build amd64 && !noasm

package kernel

// cpuidArgs are the argument and the results of cpuid.
type cpuidArgs struct{ leaf, eax, ebx, ecx, edx uint32 }

// secondCache is how many bytes the second-level cache of a core has; where the processor does not say, what all of them have.
var secondCache = func() int {
	const least = 512 << 10
	a := cpuidArgs{leaf: 0x80000000}
	if cpuid(&a); a.eax < 0x80000006 {
		return least
	}
	a = cpuidArgs{leaf: 0x80000006}
	cpuid(&a)
	return max(least, int(a.ecx>>16)<<10)
}()
