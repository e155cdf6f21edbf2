package cuda

import (
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Ptr is an address in a device's memory, 0 for none.
type Ptr uintptr

// Add returns the address the given number of bytes behind p.
func (p Ptr) Add(bytes int) Ptr { return p + Ptr(bytes) }

// Context is a device with this package's kernels, ready to run them. It is safe for concurrent use. Each goroutine
// that queues work should have its own [Stream].
type Context struct {
	driver *Driver
	card   Card
	device int32
	handle uintptr

	retained bool // whether Close must release the driver's primary context

	mu      sync.Mutex
	modules map[string]uintptr // by source
	kernels map[string]*Kernel
	closed  bool
}

// NewContext opens a device of the driver. All contexts of a device in this process share the driver's primary context.
func (d *Driver) NewContext(index int) (*Context, error) {
	c, err := d.newContext(index)
	if err != nil {
		return nil, err
	}
	if err := d.check(cuDevicePrimaryCtxRetain, d.call(cuDevicePrimaryCtxRetain, uintptr(unsafe.Pointer(&c.handle)),
		uintptr(c.device))); err != nil {
		return nil, fmt.Errorf("device %d: %w", index, err)
	}
	c.retained = true
	return c, nil
}

// Adopt makes a Context of a context that another library has made for a device and owns; handle is the driver's handle
// of it. [Context.Close] does not destroy that context.
func (d *Driver) Adopt(index int, handle uintptr) (*Context, error) {
	c, err := d.newContext(index)
	if err != nil {
		return nil, err
	}
	c.handle = handle
	return c, nil
}

func (d *Driver) newContext(index int) (*Context, error) {
	cards, err := d.Cards()
	if err != nil {
		return nil, err
	}
	switch {
	case len(cards) == 0:
		return nil, fmt.Errorf("%w: the driver finds no card", ErrUnavailable)
	case index < 0 || index >= len(cards):
		return nil, fmt.Errorf("%w: expected a device from 0 to %d, got %d", ErrUnavailable, len(cards)-1, index)
	case cards[index].Major < 7:
		return nil, fmt.Errorf("%w: device %d, %s: expected compute capability 7.0 or later, got %s", ErrUnavailable,
			index, cards[index].Name, cards[index].Capability())
	}
	c := &Context{driver: d, card: cards[index], modules: map[string]uintptr{}, kernels: map[string]*Kernel{}}
	c.device, err = d.device(index)
	return c, err
}

// Card describes the context's device.
func (c *Context) Card() Card { return c.card }

// Close unloads the kernels and releases the device. All allocated memory must have been freed before.
func (c *Context) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	err := c.do(func(d *Driver) error {
		var first error
		for _, m := range c.modules {
			if err := d.check(cuModuleUnload, d.call(cuModuleUnload, m)); err != nil && first == nil {
				first = err
			}
		}
		return first
	})
	clear(c.modules)
	clear(c.kernels)
	if !c.retained {
		return err
	}
	if e := c.driver.check(cuDevicePrimaryCtxRelease, c.driver.call(cuDevicePrimaryCtxRelease,
		uintptr(c.device))); err == nil {
		err = e
	}
	return err
}

// do runs f on a thread on which this context is current.
func (c *Context) do(f func(d *Driver) error) error {
	leave, err := c.driver.current(c.handle)
	if err != nil {
		return err
	}
	defer leave()
	return f(c.driver)
}

// MemInfo returns the free and the total device memory in bytes.
func (c *Context) MemInfo() (free, total uint64, err error) {
	err = c.do(func(d *Driver) error {
		return d.check(cuMemGetInfo, d.call(cuMemGetInfo, uintptr(unsafe.Pointer(&free)),
			uintptr(unsafe.Pointer(&total))))
	})
	return free, total, err
}

// Alloc allocates device memory of the given size, of unspecified content, aligned to 256 bytes. Where there is too
// little it first lets the garbage collector find programs that nobody uses any more, whose memory is then freed.
func (c *Context) Alloc(bytes int) (Ptr, error) {
	var p Ptr
	err := c.insist(func(d *Driver) error {
		return d.check(cuMemAlloc, d.call(cuMemAlloc, uintptr(unsafe.Pointer(&p)), uintptr(max(bytes, 1))))
	})
	if err != nil {
		free, total, _ := c.MemInfo()
		return 0, fmt.Errorf("device %d (%s): %d bytes wanted, %d of %d are free: %w", c.card.Index, c.card.Name, bytes,
			free, total, err)
	}
	return p, nil
}

// insist calls f, which allocates, and repeats it after garbage collections where memory is short.
func (c *Context) insist(f func(*Driver) error) error {
	err := c.do(f)
	for try := 0; err != nil && isOutOfMemory(err) && try < 3; try++ {
		runtime.GC()
		time.Sleep(time.Duration(try) * 10 * time.Millisecond) // a goroutine runs the cleanups that free memory
		err = c.do(f)
	}
	return err
}

func isOutOfMemory(err error) bool { e, ok := err.(*Error); return ok && e.Code == 2 }

// Free frees device memory. Freeing 0 does nothing.
func (c *Context) Free(p Ptr) error {
	if p == 0 {
		return nil
	}
	return c.do(func(d *Driver) error { return d.check(cuMemFree, d.call(cuMemFree, uintptr(p))) })
}

// Pinned is pinned memory of the host, which the device can read and write while kernels run.
type Pinned struct {
	at    unsafe.Pointer
	bytes int
}

// AllocHost allocates pinned memory of the given size in bytes.
func (c *Context) AllocHost(bytes int) (Pinned, error) {
	p := Pinned{bytes: max(bytes, 1)}
	err := c.insist(func(d *Driver) error {
		return d.check(cuMemAllocHost, d.call(cuMemAllocHost, uintptr(unsafe.Pointer(&p.at)), uintptr(p.bytes)))
	})
	if err != nil {
		return Pinned{}, fmt.Errorf("%d bytes of pinned host memory: %w", bytes, err)
	}
	return p, nil
}

// FreeHost frees pinned memory. Nothing may use it afterwards.
func (c *Context) FreeHost(p Pinned) error {
	if p.at == nil {
		return nil
	}
	return c.do(func(d *Driver) error { return d.check(cuMemFreeHost, d.call(cuMemFreeHost, uintptr(p.at))) })
}

// Slice returns pinned memory as a slice of n elements. It panics if they do not fit.
func Slice[T float32 | int | int64 | uint64](p Pinned, n int) []T {
	if n*int(unsafe.Sizeof(*new(T))) > p.bytes {
		panic(fmt.Sprintf("cuda: %d elements in %d bytes of pinned memory", n, p.bytes))
	}
	return unsafe.Slice((*T)(p.at), n)
}
