//go:build !(linux && (amd64 || arm64)) || nocuda

package cuda

import (
	"fmt"
	"runtime"
)

func (d *Driver) load() error {
	return fmt.Errorf("%w: this build for %s/%s has none: it is in builds for linux on amd64 and arm64 without the "+
		"tag nocuda", ErrUnavailable, runtime.GOOS, runtime.GOARCH)
}

func (d *Driver) call(int, ...uintptr) uintptr { panic("unreachable: no driver was opened") }
