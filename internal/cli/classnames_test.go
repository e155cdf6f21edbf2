package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestClassNamesAreRead: a missing file of class names is an error of every command that has the flag, even of commands
// that write no class names.
func TestClassNamesAreRead(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every command")
	}
	w := newWorld(t)
	tried := 0
	for name, base := range w.runnable(t) {
		cmd, _, err := newRoot().Find(strings.Fields(name))
		if !assert.NoError(t, err) || cmd.Flags().Lookup("class-names") == nil {
			continue
		}
		args := join(strings.Fields(name), base, []string{"--class-names", w.path("missing.txt")})
		assert.Contains(t, fails(t, args...), "missing.txt", name)
		tried++
	}
	assert.Greater(t, tried, 8)
}
