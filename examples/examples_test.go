package examples_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPrograms runs every example and checks its output.
func TestPrograms(t *testing.T) {
	for program, want := range map[string][]string{
		"owncnn":   {"kind 0: ", "kind 3: 90 of 90 out-of-distribution"},
		"memory":   {"16 of 16 checked ones"},
		"detector": {"│ line ", "│ norm   │ power = 2 ", ".html"},
		"values":   {"16 channels of layer2.0, truth by exact", "kernelshap-paired,80", ".png"},
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("go", "run", "./"+program)
			cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, w := range want {
				if !strings.Contains(string(out), w) {
					t.Errorf("expected %q, got %s", w, out)
				}
			}
			source, err := os.ReadFile(program + "/main.go")
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), "\n"); n >= 60 {
				t.Errorf("%s: expected fewer than 60 lines, got %d", program, n)
			}
		})
	}
}
