//go:build linux && (amd64 || arm64) && !nocuda

package cuda

import (
	"fmt"
	"os"
	"runtime"

	"github.com/ebitengine/purego"
)

// load opens the driver's library and finds its functions. The library stays open: the driver cannot be unloaded.
func (d *Driver) load() error {
	path := os.Getenv(DriverVariable)
	if path == "" {
		path = "libcuda.so.1"
	}
	runtime.LockOSThread() // the text of an error is kept for each thread
	defer runtime.UnlockOSThread()
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("%w: no driver: %w; install NVIDIA's, or name its library in %s", ErrUnavailable, err,
			DriverVariable)
	}
	for i, name := range symbols {
		if d.at[i], err = purego.Dlsym(lib, name); err != nil {
			return fmt.Errorf("%w: %s has no %s: %s", ErrUnavailable, path, name,
				wantDriver)
		}
	}
	return nil
}

// call calls a function of the driver. Memory that arguments point to stays alive and in place during the call.
//
//go:uintptrescapes
func (d *Driver) call(function int, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(d.at[function], args...)
	return r
}
