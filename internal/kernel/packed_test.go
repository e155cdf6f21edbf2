//go:build amd64 && !noasm

package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPackedMemory(t *testing.T) {
	for _, n := range []int{0, 1, 1000, hugePage / 4, hugePage/4 + 1, 3 * hugePage / 2} {
		for range 3 { // later rounds may get memory that was used before
			s := packedMemory(n)
			require.Equal(t, make([]float32, n), s)
			for i := range s {
				s[i] = 1
			}
		}
	}
}
