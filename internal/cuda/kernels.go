package cuda

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// Kernel is a function that runs on a device.
type Kernel struct {
	name   string
	handle uintptr
}

var entry = regexp.MustCompile(`\.entry\s+(\w+)`)

// sourceOf maps the name of each kernel to its source. It is computed once.
var sourceOf = sync.OnceValues(func() (map[string]string, error) {
	found := map[string]string{}
	err := fs.WalkDir(sources, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		ptx, err := sources.ReadFile(p)
		for _, m := range entry.FindAllStringSubmatch(string(ptx), -1) {
			found[m[1]] = p
		}
		return err
	})
	return found, err
})

// Kernels returns the names of this package's kernels, sorted.
func Kernels() ([]string, error) {
	found, err := sourceOf()
	return slices.Sorted(maps.Keys(found)), err
}

// Kernel returns the kernel of that name. Its source is compiled by the driver on first use.
func (c *Context) Kernel(name string) (*Kernel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.kernels[name]; k != nil {
		return k, nil
	}
	found, err := sourceOf()
	if err != nil {
		return nil, err
	}
	source, ok := found[name]
	if !ok {
		return nil, fmt.Errorf("no kernel is named %s", name)
	}
	return c.load(source, name)
}

func (c *Context) load(source, name string) (*Kernel, error) {
	k := &Kernel{name: name}
	err := c.do(func(d *Driver) error {
		module, ok := c.modules[source]
		if !ok {
			ptx, err := sources.ReadFile(source)
			if err != nil {
				return err
			}
			if module, err = d.loadModule(append(ptx, 0)); err != nil {
				return err
			}
			c.modules[source] = module
		}
		text := append([]byte(name), 0)
		return d.check(cuModuleGetFunction, d.call(cuModuleGetFunction, uintptr(unsafe.Pointer(&k.handle)), module,
			uintptr(unsafe.Pointer(&text[0]))))
	})
	if err != nil {
		if e := (*Error)(nil); errors.As(err, &e) && e.Code == unsupportedPTX {
			err = c.driver.tooOld(err)
		}
		return nil, fmt.Errorf("kernel %s of %s on device %d (%s): %w", name, path.Base(source), c.card.Index,
			c.card.Name, err)
	}
	c.kernels[name] = k
	return k, nil
}

const unsupportedPTX = 222 // CUDA_ERROR_UNSUPPORTED_PTX_VERSION: the driver is older than the version that PTX is of

// tooOld explains the error of a driver that does not know the kernels' version of PTX.
func (d *Driver) tooOld(err error) error {
	v, e := d.Version()
	if e != nil {
		return errors.Join(err, e)
	}
	return fmt.Errorf("%w: the driver, of CUDA %d.%d, is too old for it: %s: %w", ErrUnavailable, v/1000, v%1000/10,
		wantDriver, err)
}

// loadModule compiles PTX, which must end in a zero byte. The error includes the compiler's messages.
func (d *Driver) loadModule(ptx []byte) (module uintptr, err error) {
	const errorLog, errorLogSize = 5, 6 // CUjit_option
	log := make([]byte, 4096)
	var pin runtime.Pinner
	pin.Pin(&log[0])
	defer pin.Unpin()
	options := []int32{errorLog, errorLogSize}
	values := []uintptr{uintptr(unsafe.Pointer(&log[0])), uintptr(len(log))}
	err = d.check(cuModuleLoadDataEx, d.call(cuModuleLoadDataEx, uintptr(unsafe.Pointer(&module)),
		uintptr(unsafe.Pointer(&ptx[0])), uintptr(len(options)),
		uintptr(unsafe.Pointer(&options[0])), uintptr(unsafe.Pointer(&values[0]))))
	if err != nil && log[0] != 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(goString(&log[0])))
	}
	return module, err
}
