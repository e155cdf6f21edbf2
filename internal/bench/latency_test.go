package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLatency(t *testing.T) {
	one := newLatency([]time.Duration{2 * time.Millisecond})
	require.Equal(t, Latency{Images: 1, P50: 2, P90: 2, P99: 2, Max: 2}, *one)
	var times []time.Duration
	for i := range 200 {
		times = append(times, time.Duration(200-i)*time.Millisecond)
	}
	require.Equal(t, Latency{Images: 200, P50: 100, P90: 180, P99: 198, Max: 200}, *newLatency(times))
	require.Equal(t, 200*time.Millisecond, times[0], "the times stay in order")
}
