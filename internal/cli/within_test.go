package cli

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWithin: within returns the status of a command that ends by itself. A command that ignores its context is
// abandoned after the grace, unless it has no time limit.
func TestWithin(t *testing.T) {
	require.Equal(t, 7, within(t.Context(), time.Hour, func() int { return 7 }))
	ctx, cancel := context.WithCancel(t.Context())
	require.Equal(t, exitInterrupted,
		within(ctx, time.Hour, func() int { cancel(); <-ctx.Done(); return exitInterrupted }))
	deaf := make(chan struct{})
	defer close(deaf)
	require.Equal(t, exitInterrupted, within(ctx, time.Millisecond, func() int { <-deaf; return 0 }))
	require.Equal(t, 3, within(ctx, 0, func() int { time.Sleep(20 * time.Millisecond); return 3 }))
	require.Equal(t, grace, patience([]string{"fit", "train"}))
	require.Zero(t, patience([]string{"train", "--epochs", "1"}))
	require.Zero(t, patience([]string{"serve", "--detector", "d"}))
	require.Equal(t, grace, patience(nil))
	require.Less(t, grace, time.Second)
}
