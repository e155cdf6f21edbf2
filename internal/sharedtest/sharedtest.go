// Package sharedtest finds the reference data that lies beside the repository, for tests only.
package sharedtest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Path returns the path of a file or folder under ../shared, seen from the module's root.
// Where it is missing the test is skipped with a message that names it; with GOLINE_REQUIRE_SHARED=1 it fails.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	_, self, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("sharedtest: cannot tell where the source lies")
	}
	root := filepath.Join(filepath.Dir(self), "..", "..", "..", "shared")
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("GOLINE_REQUIRE_SHARED") == "1" {
			t.Fatalf("required reference data is missing: %v", err)
		}
		t.Skipf("reference data is missing: %s", path)
	}
	return path
}
