package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// bfLevel is a way to compute bfloat16 products.
type bfLevel int32

const (
	bfPortable bfLevel = iota // in Go, with the bits of bfAMX
	bfDots                    // AVX512_BF16
	bfAMX
)

var bfLevelNames = [...]string{bfPortable: "portable", bfDots: "avx512bf16", bfAMX: "amx"}

func (l bfLevel) String() string { return bfLevelNames[l] }

// bfBest returns the fastest way that CPU, operating system and build support. It is determined on first use, because
// AMX needs a permission of the operating system.
var bfBest = sync.OnceValue(detectBFloat16)

// bfForced is the way that a test forces, plus one; 0 means none.
var bfForced atomic.Int32

// bfLowered returns the slower of l and the way that the variable GOLINE_CPU names. The name of another instruction set
// means the portable way.
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

// BFloat16Level returns the name of the way in which convolutions and matrix products in bfloat16 are computed: "amx",
// "avx512bf16" or "portable". The variable GOLINE_CPU lowers it as it lowers Level, and may also hold one of these
// names. AMX and portable code give the same bits. AVX512_BF16 gives others, because it sums in another order.
func BFloat16Level() string { return currentBFloat16().String() }

// BFloat16Levels returns the names of the ways that CPU, operating system and build support, slowest first.
func BFloat16Levels() []string { return bfLevelNames[:bfBest()+1] }

// ForceBFloat16 is ForceLevel for the ways to compute in bfloat16.
func ForceBFloat16(name string) (restore func(), err error) {
	i := slices.Index(BFloat16Levels(), name)
	if i < 0 {
		return nil, fmt.Errorf("kernel: bfloat16 by %q is not among %v", name, BFloat16Levels())
	}
	old := bfForced.Swap(int32(i) + 1)
	return func() { bfForced.Store(old) }, nil
}
