package command

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"conv1.weight é 図": "conv1.weight é 図", "\x1b[2Jx": `\x1b[2Jx`, "a\nb\tc": `a\nb\tc`, "\xff": `\xff`,
		"\u009b31m": `\x9b31m`, "\u202ecba": `\u202ecba`, "\U000e0001": `\U000e0001`, "\x7f": `\x7f`,
	} {
		require.Equal(t, want, Printable(text))
	}
	var b bytes.Buffer
	n, err := PrintableWriter(&b).Write([]byte("a\tb\x1b\n"))
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.Equal(t, "a\tb\\x1b\n", b.String())
	rapid.Check(t, func(t *rapid.T) {
		out := Printable(string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")))
		for _, r := range out {
			if r < 0x20 || r >= 0x7f && r < 0xa0 {
				t.Fatalf("%q", out)
			}
		}
		if !utf8.ValidString(out) {
			t.Fatalf("%q", out)
		}
	})
}
