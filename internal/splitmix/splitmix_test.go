package splitmix_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/splitmix"
)

// TestMix compares with the first outputs of SplitMix64 with seed 1234567, as the reference implementation
// (https://prng.di.unimi.it/splitmix64.c) gives them.
func TestMix(t *testing.T) {
	state := uint64(1234567)
	for _, want := range []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423} {
		state += splitmix.Golden
		require.Equal(t, want, splitmix.Mix(state))
	}
}

func TestCombineTellsPairsApart(t *testing.T) {
	seen := map[uint64]bool{}
	for a := range uint64(100) {
		for b := range uint64(100) {
			seen[splitmix.Combine(a, b)] = true
		}
	}
	require.Len(t, seen, 10_000)
}
