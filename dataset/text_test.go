package dataset

import (
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestNamesThatAreNoUTF8: pictures and classes whose names are not UTF-8 have IDs that are UTF-8, and different ones.
func TestNamesThatAreNoUTF8(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other file systems have no such names")
	}
	dir := t.TempDir()
	for _, class := range []string{"a\xff", "a\xfe"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, class), 0o777))
		for _, name := range []string{"\xff.png", "\xfe.png", `\xff.png`, "é\\\xff.png"} {
			f, err := os.Create(filepath.Join(dir, class, name))
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, image.NewGray(image.Rect(0, 0, 2, 2))))
			require.NoError(t, f.Close())
		}
	}
	set, err := Open(dir)
	require.NoError(t, err)
	require.Equal(t, []string{`./a\xfe`, `./a\xff`}, set.Classes())
	seen := map[string]bool{}
	for i := range set.Len() {
		id := set.ID(i)
		require.True(t, utf8.ValidString(id), "%q", id)
		encoded, err := json.Marshal(id)
		require.NoError(t, err)
		require.False(t, seen[string(encoded)], "%q", id)
		seen[string(encoded)] = true
		_, err = set.Image(i)
		require.NoError(t, err)
	}
	require.Len(t, seen, 8)
	require.Equal(t, `./é\\\xff`, text("é\\\xff"))
	require.Equal(t, `é\xff`, text(`é\xff`))
}
