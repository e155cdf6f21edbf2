//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package atomicfile

import (
	"os"
	"time"
)

// lock does nothing: this operating system has no lock that ends with the process.
func lock(*os.File) {}

// abandoned tells whether a temporary file was last written to more than a day ago.
func abandoned(_ string, written time.Time) bool { return time.Since(written) > 24*time.Hour }
