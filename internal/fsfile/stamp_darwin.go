package fsfile

import (
	"io/fs"
	"syscall"
)

// system returns the time of the last change and the inode of a file, as macOS reports them.
func system(info fs.FileInfo) (changed int64, inode uint64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctimespec.Nano(), s.Ino
	}
	return 0, 0
}
