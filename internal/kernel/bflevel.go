package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// bfLevel is a way to compute in bfloat16.
type bfLevel int32

const (
	bfPortable bfLevel = iota // in Go, the bits of bfAMX
	bfDots                    // AVX512_BF16
	bfAMX
)

var bfLevelNames = [...]string{bfPortable: "portable", bfDots: "avx512bf16", bfAMX: "amx"}

func (l bfLevel) String() string { return bfLevelNames[l] }

// bfBest is the best way that the CPU, the operating system and the build offer. It is asked when first needed, since
// AMX must be asked for from the system.
var bfBest = sync.OnceValue(detectBFloat16)

// bfForced is one more than the way that a test forces, 0 for none.
var bfForced atomic.Int32

// bfLowered returns the lower of l and the way that GOLINE_CPU names; names of plain instruction sets mean the portable
// one.
func bfLowered(l bfLevel, name string) bfLevel {
	name = strings.ToLower(name)
	if i := slices.Index(bfLevelNames[:], name); i >= 0 {
		return min(l, bfLevel(i))
	}
	if slices.Contains(levelNames[:], name) {
		return bfPortable
	}
	return l
}

var bfChosen = sync.OnceValue(func() bfLevel { return bfLowered(bfBest(), os.Getenv(levelVariable)) })

func currentBFloat16() bfLevel {
	if f := bfForced.Load(); f != 0 {
		return bfLevel(f - 1)
	}
	return bfChosen()
}

// BFloat16Level names the way that convolutions and matrix products in bfloat16 are computed: "amx", "avx512bf16" or
// "portable". GOLINE_CPU lowers it as it lowers Level: it may name one of these as well. AMX and portable give the same
// bits; those of AVX512_BF16 differ, since it sums in another order.
func BFloat16Level() string { return currentBFloat16().String() }

// BFloat16Levels names the ways that this CPU, system and build offer, the plainest first.
func BFloat16Levels() []string { return bfLevelNames[:bfBest()+1] }

// ForceBFloat16 is ForceLevel for the ways of bfloat16.
func ForceBFloat16(name string) (restore func(), err error) {
	i := slices.Index(BFloat16Levels(), name)
	if i < 0 {
		return nil, fmt.Errorf("kernel: bfloat16 by %q is not among %v", name, BFloat16Levels())
	}
	old := bfForced.Swap(int32(i) + 1)
	return func() { bfForced.Store(old) }, nil
}
