package fsfile

import (
	"fmt"
	"runtime"
)

// GaveUp says in words why a decoder of a library panicked: errors of the runtime, about an index for example, mean
// that the file is not built as its format demands.
func GaveUp(panicked any) string {
	if _, ok := panicked.(runtime.Error); ok {
		return "its parts do not fit each other"
	}
	return fmt.Sprintf("%.200v", panicked)
}
