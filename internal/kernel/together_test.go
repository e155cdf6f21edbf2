//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// fewTogether is an engine that computes up to five images together and notes how many.
type fewTogether struct {
	engine
	calls []int
}

func (*fewTogether) together() int { return 5 }

func (e *fewTogether) several(_ planIO, n int) { e.calls = append(e.calls, n) }

func (e *fewTogether) run(planIO) { e.calls = append(e.calls, 1) }

// TestImagesTogether: no image is left alone where all could be computed in nearly equal numbers.
func TestImagesTogether(t *testing.T) {
	if currentLevel() == generic {
		t.Skip("no vector code")
	}
	for n, want := range map[int][]int{1: {1}, 5: {5}, 6: {3, 3}, 8: {4, 4}, 11: {4, 4, 3}} {
		c, err := NewConv(benchSpec(ConvGeom{C: 8, H: 2, W: 2, O: 8, KH: 1, KW: 1}, false))
		require.NoError(t, err)
		e := &fewTogether{engine: c.fast.engine}
		c.fast.engine = e
		c.fast.forwardBatch(make([]float32, n*32), make([]float32, n*32), nil, n, 32, 32, 0, nil)
		require.Equal(t, want, e.calls, "%d images", n)
	}
}
