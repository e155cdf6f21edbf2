package kernel

import (
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

// arena hands out slices that end right before, or start right behind, a page that faults when touched (where the
// system has such pages). So a kernel that reads or writes out of bounds fails its test.
type arena struct{ maps [][]byte }

const canPage = 4096

func (a *arena) free() {
	for _, m := range a.maps {
		unmap(m)
	}
	a.maps = nil
}

// guarded returns a copy of s that ends at a guard page.
func guarded[T Float](a *arena, s []T) []T { return guardedAt(a, s, false) }

// guardedAt returns a copy of s that ends at a guard page or, with behind, starts after one.
func guardedAt[T Float](a *arena, s []T, behind bool) []T {
	var z T
	n := len(s) * int(unsafe.Sizeof(z))
	size := (n + canPage - 1) / canPage * canPage
	m := mapBetweenGuards(size)
	if m == nil {
		return append([]T(nil), s...)
	}
	a.maps = append(a.maps, m)
	at := canPage + size - n
	if behind {
		at = canPage
	}
	out := unsafe.Slice((*T)(unsafe.Pointer(&m[at])), max(len(s), 1))[:len(s)]
	copy(out, s)
	return out
}
