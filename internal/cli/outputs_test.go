package cli

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOutputsAreCheckedBeforeTheWork names a folder that does not exist to commands without any other input.
func TestOutputsAreCheckedBeforeTheWork(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "file.svg")
	for _, args := range [][]string{
		{"bench", "--net", "densenet-bc-100-12", "--images", "1000000000", "--json", missing},
		{"graph", "--net", "densenet-bc-100-12", "--out", missing},
		{"demo", "--html", missing},
	} {
		code, out, stderr := runGoline(args...)
		require.Equal(t, exitFailed, code, args)
		require.Contains(t, stderr, "there is no folder", args)
		require.Empty(t, out, args)
	}
}
