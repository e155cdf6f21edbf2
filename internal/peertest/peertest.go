// Package peertest finds a Python with the tools that tests compare goline with.
package peertest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Python returns the Python interpreter that the environment variable GOLINE_PYTHON names. If it lacks one of the
// modules the test is skipped with a message that says what to install; with GOLINE_REQUIRE_PEERS=1 the test fails.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	missing := func(why string) {
		if os.Getenv("GOLINE_REQUIRE_PEERS") == "1" {
			t.Fatalf("required Python peers are missing: %s", why)
		}
		t.Skipf("Python peers are missing: %s", why)
	}
	python := os.Getenv("GOLINE_PYTHON")
	if python == "" {
		missing("set GOLINE_PYTHON to a Python with " + strings.Join(modules, ", "))
	}
	if out, err := exec.Command(python, "-c", "import "+strings.Join(modules, ", ")).CombinedOutput(); err != nil {
		missing(python + " has not all of " + strings.Join(modules, ", ") + ":\n" + string(out))
	}
	return python
}
