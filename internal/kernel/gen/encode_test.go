package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmcloughlin/avo/reg"
	"github.com/stretchr/testify/require"
)

// TestEncodings disassembles every encoded instruction.
func TestEncodings(t *testing.T) {
	tool, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("objdump is not installed")
	}
	codes := []code{tileRelease()}
	bases := []reg.Register{reg.RAX, reg.RCX, reg.RDX, reg.RBX, reg.RSI, reg.RDI, reg.R8, reg.R9, reg.R10, reg.R11}
	for i, b := range bases {
		stride := bases[(i+3)%len(bases)]
		codes = append(codes, tileConfig(b), tileLoad(i%8, b, stride, int32(1024*i)),
			tileStore(7-i%8, b, stride, int32(64*i)))
	}
	for i := range 8 {
		codes = append(codes, tileZero(i), tileDot(i, (i+3)%8, (i+6)%8))
	}
	for i := range 32 {
		codes = append(codes, dotPairs(i, (i+9)%32, (i+21)%32), roundPairs(i, (i+17)%32, (i+6)%32))
	}
	var all []byte
	for _, c := range codes {
		all = append(all, c.bytes...)
	}
	file := filepath.Join(t.TempDir(), "code")
	require.NoError(t, os.WriteFile(file, all, 0o600))
	out, err := exec.Command(tool, "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", "--no-show-raw-insn",
		file).CombinedOutput()
	require.NoError(t, err, string(out))
	var got []string
	for _, line := range strings.Split(string(out), "\n") {
		if _, text, ok := strings.Cut(line, ":\t"); ok {
			got = append(got, strings.Join(strings.Fields(text), " "))
		}
	}
	require.Len(t, got, len(codes))
	for i, c := range codes {
		// Disassemblers may leave out an offset of zero.
		want := strings.ReplaceAll(c.text, "+0x0]", "]")
		require.Equal(t, want, strings.ReplaceAll(got[i], "+0x0]", "]"))
	}
}
