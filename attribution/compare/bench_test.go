//go:build unix

package compare

import (
	"testing"
)

func BenchmarkKendallTauB(b *testing.B) {
	x, y := randomNetwork(1, 342, 1).w, randomNetwork(1, 342, 2).w
	for b.Loop() {
		KendallTauB(x, y)
	}
}
