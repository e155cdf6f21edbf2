package surrogate

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The forecast of each part grows with its work.
func TestForecastOfParts(t *testing.T) {
	const ten = 10 * probeRows
	of := func(parts times, rows, others float64) float64 {
		parts.rows = probeRows
		return parts.forecast(rows, others)
	}
	assert.InDelta(t, 20, of(times{step: 1}, ten, 0), 1e-9, "a step counts once for each step of the search")
	assert.InDelta(t, 100, of(times{covariance: 1}, ten, 0), 1e-9, "covariances of rows with rows")
	assert.InDelta(t, 100+10*3, of(times{covariance: 1}, ten, 3*probeRows), 1e-9, "and with others")
	assert.InDelta(t, 100, of(times{shapley: 1}, ten, 0), 1e-9)
	assert.InDelta(t, 100*(ten+640.)/(probeRows+640), of(times{factor: 1}, ten, 0), 1e-9)
	assert.InDelta(t, 20+1+1+1, of(times{step: 1, covariance: 1, factor: 1, shapley: 1}, probeRows, 0), 1e-9,
		"what was timed is not changed")
}

func TestSeconds(t *testing.T) {
	for _, rows := range []int{1, 16, 100} {
		for _, players := range []int{1, 2, 65} {
			seconds, err := Seconds(context.Background(), rows, 7, players, 2)
			require.NoError(t, err)
			assert.Greater(t, seconds, 0.0)
		}
	}
	for _, bad := range [][3]int{{0, 0, 1}, {1, -1, 1}, {1, 0, 0}} {
		_, err := Seconds(context.Background(), bad[0], bad[1], bad[2], 1)
		assert.ErrorContains(t, err, "expected at least 1 row")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Seconds(ctx, 300, 0, 300, 1)
	assert.ErrorIs(t, err, context.Canceled)
}
