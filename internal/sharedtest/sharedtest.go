// Package sharedtest finds reference data for tests in the folder shared, which lies beside the repository.
package sharedtest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Path returns the path of a file or folder in ../shared, relative to the module's root. If it is missing, the test is
// skipped with a message that names it; with GOLINE_REQUIRE_SHARED=1 the test fails.
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
