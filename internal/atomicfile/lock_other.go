//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package atomicfile

import (
	"os"
	"time"
)

// lock does nothing where files cannot be marked so.
func lock(*os.File) {}

// abandoned goes by the time of the last write.
func abandoned(_ string, written time.Time) bool { return time.Since(written) > 24*time.Hour }
