package cuda

import (
	"fmt"
	"unsafe"
)

// Args are the arguments of a launch, in the kernel's order. [Args.Reset] removes them, for the next launch.
type Args struct {
	slots [96]uint64 // values, each starting at a slot; drivers copy as many bytes as the kernel's parameter has
	used  int
	at    [32]unsafe.Pointer
	n     int
}

// Reset removes all arguments.
func (a *Args) Reset() *Args {
	a.used, a.n = 0, 0
	return a
}

func (a *Args) next(slots int) unsafe.Pointer {
	p := unsafe.Pointer(&a.slots[a.used])
	a.at[a.n] = p
	a.used += slots
	a.n++
	return p
}

// Ptr adds an address.
func (a *Args) Ptr(p Ptr) *Args {
	*(*uint64)(a.next(1)) = uint64(p)
	return a
}

// Int adds an integer, for a parameter of 32 or of 64 bits.
func (a *Args) Int(v int) *Args {
	*(*int64)(a.next(1)) = int64(v) // all machines with a driver are little-endian
	return a
}

// Float adds a float32, for a parameter of 32 bits.
func (a *Args) Float(v float32) *Args {
	*(*float32)(a.next(1)) = v
	return a
}

// Double adds a float64, for a parameter of 64 bits.
func (a *Args) Double(v float64) *Args {
	*(*float64)(a.next(1)) = v
	return a
}

// Struct adds a structure of 32-bit integers.
func (a *Args) Struct(fields []int32) *Args {
	copy(unsafe.Slice((*int32)(a.next((len(fields)+1)/2)), len(fields)), fields)
	return a
}

// Grid is the number of blocks of a launch along each axis, and the number of threads in a block.
type Grid struct{ X, Y, Z, Threads int }

// Launch queues a run of a kernel.
func (s *Stream) Launch(k *Kernel, g Grid, a *Args) error {
	const most = 65535 // blocks along y and z
	if g.X < 1 || g.Y < 1 || g.Z < 1 || g.X > 1<<31-1 || g.Y > most || g.Z > most {
		return fmt.Errorf("kernel %s: expected a grid of 1 to %d × %d × %d blocks, got %d × %d × %d", k.name, 1<<31-1,
			most, most, g.X, g.Y, g.Z)
	}
	err := s.context.do(func(d *Driver) error {
		return d.check(cuLaunchKernel, d.call(cuLaunchKernel, k.handle, uintptr(g.X), uintptr(g.Y), uintptr(g.Z),
			uintptr(g.Threads), 1, 1, 0,
			s.handle, uintptr(unsafe.Pointer(&a.at[0])), 0))
	})
	if err != nil {
		return fmt.Errorf("kernel %s: %w", k.name, err)
	}
	return nil
}
