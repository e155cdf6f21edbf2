package fsfile

import (
	"fmt"
	"runtime"
)

// GaveUp says in words why a library's decoder panicked. A runtime error, about an index for example, means that the
// file does not follow its format.
func GaveUp(panicked any) string {
	if _, ok := panicked.(runtime.Error); ok {
		return "its parts do not fit each other"
	}
	return fmt.Sprintf("%.200v", panicked)
}
