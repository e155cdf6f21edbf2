package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

// level is an instruction set that the float32 kernels are written for.
type level int32

const (
	generic level = iota
	avx2
	avx512
	neon
)

var levelNames = [...]string{generic: "generic", avx2: "avx2", avx512: "avx512", neon: "neon"}

func (l level) String() string { return levelNames[l] }

// levelVariable names an environment variable that lowers the instruction set, for comparisons and to tell a broken CPU
// from a broken kernel.
const levelVariable = "GOLINE_CPU"

// current is the level in use.
var current = func() *atomic.Int32 {
	v := new(atomic.Int32)
	v.Store(int32(lowered(detect(), os.Getenv(levelVariable))))
	return v
}()

// lowered returns the level of the given name if the highest of the levels supported is above it, and otherwise the
// highest.
func lowered(supported []level, name string) level {
	for _, l := range supported {
		if strings.EqualFold(name, levelNames[l]) {
			return l
		}
	}
	return supported[len(supported)-1]
}

// CheckLevelVariable fails where the environment variable GOLINE_CPU holds something that is neither a level nor a way
// to compute in bfloat16, and so has no effect.
func CheckLevelVariable() error { return checkLevel(os.Getenv(levelVariable)) }

func checkLevel(name string) error {
	names := append(levelNames[:], bfLevelNames[bfDots:]...)
	if name != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(name, n) }) {
		return fmt.Errorf("environment variable %s=%s: expected one of %s", levelVariable, name,
			strings.Join(names, ", "))
	}
	return nil
}

func currentLevel() level { return level(current.Load()) }

// Level returns the name of the instruction set in use: "generic", "avx2", "avx512" or, on arm64, "neon". The
// environment variable GOLINE_CPU, read at start-up, can ask for a lower one than the CPU has.
func Level() string { return currentLevel().String() }

// Levels returns the names of the instruction sets that this CPU and build support, lowest first.
func Levels() []string {
	var names []string
	for _, l := range detect() {
		names = append(names, l.String())
	}
	return names
}

// ForceLevel switches to another level until restore is called. It is for tests and benchmarks, which must not run in
// parallel with others meanwhile. A Conv and a Right keep the level at which they were made.
func ForceLevel(name string) (restore func(), err error) {
	for _, l := range detect() {
		if l.String() == name {
			old := current.Swap(int32(l))
			return func() { current.Store(old) }, nil
		}
	}
	return nil, fmt.Errorf("kernel: level %q is not among %v", name, Levels())
}
