//go:build invariants

package line

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThresholdInvariant: scores that are not in ascending order are detected.
func TestThresholdInvariant(t *testing.T) {
	d := &Detector{fitScores: []float64{1, 2, 2, 3}}
	for _, tpr := range []float64{0, 0.5, 0.95, 1} {
		_, err := d.Threshold(tpr)
		require.NoError(t, err)
	}
	d.fitScores = []float64{3, 1, 2}
	require.Panics(t, func() { _, _ = d.Threshold(0.5) })
}
