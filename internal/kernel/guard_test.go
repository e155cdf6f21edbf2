package kernel

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// atLevels runs a test once for every instruction set of this CPU.
func atLevels(t *testing.T, f func(t *testing.T)) {
	for _, name := range Levels() {
		t.Run(name, func(t *testing.T) {
			restore, err := ForceLevel(name)
			require.NoError(t, err)
			defer restore()
			f(t)
		})
	}
}

// arena hands out slices that end at (or start after) a page that faults when touched, so that a kernel which reads or
// writes out of bounds fails its test.
type arena struct{ maps [][]byte }

const canPage = 4096

func (a *arena) free() {
	for _, m := range a.maps {
		_ = syscall.Munmap(m)
	}
	a.maps = nil
}

// guarded returns a copy of s in front of a guard page.
func guarded[T Float](a *arena, s []T) []T { return guardedAt(a, s, false) }

// guardedAt returns a copy of s in front of a guard page or right behind one.
func guardedAt[T Float](a *arena, s []T, behind bool) []T {
	if runtime.GOOS != "linux" {
		return append([]T(nil), s...)
	}
	var z T
	n := len(s) * int(unsafe.Sizeof(z))
	size := (n + canPage - 1) / canPage * canPage
	m, err := syscall.Mmap(-1, 0, size+2*canPage, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	a.maps = append(a.maps, m)
	for _, at := range []int{0, canPage + size} {
		if err := syscall.Mprotect(m[at:at+canPage], syscall.PROT_NONE); err != nil {
			panic(err)
		}
	}
	at := canPage + size - n
	if behind {
		at = canPage
	}
	out := unsafe.Slice((*T)(unsafe.Pointer(&m[at])), max(len(s), 1))[:len(s)]
	copy(out, s)
	return out
}
