package command

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBarsHaveNoGoroutines: a bar whose total is not known has no goroutine that would look at it while it is moved.
func TestBarsHaveNoGoroutines(t *testing.T) {
	var out bytes.Buffer
	c := Common{Progress: "always", Stderr: &out}
	before := runtime.NumGoroutine()
	b := c.Counter("work", 0)
	require.Equal(t, before, runtime.NumGoroutine())
	b.Set(1, 0)
	b.Set(2, 3)
	b.Finish()
	require.Equal(t, before, runtime.NumGoroutine())
	require.Contains(t, out.String(), "work")
}
