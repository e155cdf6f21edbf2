package command

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "17": 17, "1b": 1, "2KiB": 2048, "3 mib": 3 << 20, "4GiB": 4 << 30, "5kB": 5000, "6GB": 6e9,
		"1TiB": 1 << 40,
	} {
		var b Bytes
		require.NoError(t, b.Set(text))
		require.Equal(t, want, b, text)
		var again Bytes
		require.NoError(t, again.Set(b.String()))
		require.Equal(t, b, again)
	}
	for _, text := range []string{"", "x", "-1", "1.5GiB", "GiB", "NaN", "9000000000TiB", "1PiB"} {
		require.ErrorContains(t, new(Bytes).Set(text), "expected a number of bytes", text)
	}
}
