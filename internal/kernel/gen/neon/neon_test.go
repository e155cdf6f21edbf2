package neon

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWords disassembles every instruction that is written as a word.
func TestWords(t *testing.T) {
	tool, err := exec.LookPath("aarch64-linux-gnu-objdump")
	if err != nil {
		t.Skip("aarch64-linux-gnu-objdump is not installed")
	}
	_, words, err := files()
	require.NoError(t, err)
	seen, code := map[word]bool{}, []byte(nil)
	var want []string
	for _, w := range words {
		if !seen[w] {
			seen[w], want = true, append(want, w.text)
			code = binary.LittleEndian.AppendUint32(code, w.code)
		}
	}
	require.Greater(t, len(want), 50)
	name := filepath.Join(t.TempDir(), "code")
	require.NoError(t, os.WriteFile(name, code, 0o600))
	out, err := exec.Command(tool, "-D", "-b", "binary", "-m", "aarch64", "--no-show-raw-insn", name).CombinedOutput()
	require.NoError(t, err, string(out))
	var got []string
	for _, line := range strings.Split(string(out), "\n") {
		if _, text, ok := strings.Cut(line, ":\t"); ok {
			got = append(got, strings.Join(strings.Fields(text), " "))
		}
	}
	require.Equal(t, want, got)
}
