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
	b := c.Counter("work", 0)
	b.Set(1, 0)
	b.Set(2, 3)
	stacks := make([]byte, 1<<20) // of all goroutines; this one is in no bar now
	require.NotContains(t, string(stacks[:runtime.Stack(stacks, true)]), "progressbar")
	b.Finish()
	require.Contains(t, out.String(), "work")
}
