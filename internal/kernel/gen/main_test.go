package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUpToDate fails if the committed assembly differs from the output of the generator.
func TestUpToDate(t *testing.T) {
	files, err := generate()
	require.NoError(t, err)
	require.NotEmpty(t, files)
	assembly := 0
	for name, want := range files {
		if strings.HasSuffix(name, ".s") {
			assembly++
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		require.True(t, string(want) == string(got), "%s is stale: run go generate ./internal/kernel", name)
	}
	on, err := filepath.Glob(filepath.Join("..", "*.s"))
	require.NoError(t, err)
	require.Len(t, on, assembly, "assembly that no generator writes")
}
