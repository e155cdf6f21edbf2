package cuda

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

// The functions of the driver that are used. The suffix of a name is the function's revision.
const (
	cuInit = iota
	cuDriverGetVersion
	cuDeviceGetCount
	cuDeviceGet
	cuDeviceGetName
	cuDeviceTotalMem
	cuDeviceGetAttribute
	cuDevicePrimaryCtxRetain
	cuDevicePrimaryCtxRelease
	cuCtxSetCurrent
	cuMemGetInfo
	cuMemAlloc
	cuMemFree
	cuMemAllocHost
	cuMemFreeHost
	cuMemcpyHtoDAsync
	cuMemcpyDtoHAsync
	cuMemsetD32Async
	cuStreamCreate
	cuStreamDestroy
	cuStreamSynchronize
	cuModuleLoadDataEx
	cuModuleUnload
	cuModuleGetFunction
	cuLaunchKernel
	cuGetErrorName
	cuGetErrorString
	functions
)

var symbols = [functions]string{
	"cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2",
	"cuDeviceGetAttribute",
	"cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease_v2", "cuCtxSetCurrent", "cuMemGetInfo_v2", "cuMemAlloc_v2",
	"cuMemFree_v2",
	"cuMemAllocHost_v2", "cuMemFreeHost", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemsetD32Async",
	"cuStreamCreate",
	"cuStreamDestroy_v2", "cuStreamSynchronize", "cuModuleLoadDataEx", "cuModuleUnload", "cuModuleGetFunction",
	"cuLaunchKernel",
	"cuGetErrorName", "cuGetErrorString",
}

// Driver is the opened driver.
type Driver struct {
	at [functions]uintptr
}

// DriverVariable is the environment variable that holds the path of the driver's library. It is for installations where
// the dynamic linker does not find the library, and for the emulated driver.
const DriverVariable = "GOLINE_CUDA_DRIVER"

// wantDriver is what an error says of a driver that is too old. CUDA 11.0 brought the newest of the functions above and
// the newest version of PTX among the kernels, 7.0.
const wantDriver = "expected a driver of CUDA 11.0 (450.36.06) or later"

// Open opens and initialises the driver. If there is no driver, or no card that the driver supports, the error is
// [ErrUnavailable] and says what is missing.
func Open() (*Driver, error) {
	d := &Driver{}
	if err := d.load(); err != nil {
		return nil, err
	}
	if err := d.check(cuInit, d.call(cuInit, 0)); err != nil {
		return nil, fmt.Errorf("%w: the driver finds no usable card: %w", ErrUnavailable, err)
	}
	return d, nil
}

// check turns the result of a call into an error, nil for success.
func (d *Driver) check(function int, result uintptr) error {
	code := int32(result)
	if code == 0 {
		return nil
	}
	e := &Error{Call: strings.TrimSuffix(symbols[function], "_v2"), Code: int(code), Name: "unknown error",
		Text: "unknown error"}
	var text *byte
	if d.call(cuGetErrorName, uintptr(code), uintptr(unsafe.Pointer(&text))) == 0 && text != nil {
		e.Name = goString(text)
	}
	text = nil
	if d.call(cuGetErrorString, uintptr(code), uintptr(unsafe.Pointer(&text))) == 0 && text != nil {
		e.Text = goString(text)
	}
	return e
}

// goString returns a copy of a C string.
func goString(p *byte) string {
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}

// Version returns the newest version of CUDA that the driver supports, 12040 for 12.4.
func (d *Driver) Version() (int, error) {
	var v int32
	err := d.check(cuDriverGetVersion, d.call(cuDriverGetVersion, uintptr(unsafe.Pointer(&v))))
	return int(v), err
}

// Card describes a device.
type Card struct {
	Index      int    `json:"index"`
	Name       string `json:"name"`
	Memory     uint64 `json:"memory_bytes"`
	Major      int    `json:"major"` // compute capability Major.Minor
	Minor      int    `json:"minor"`
	Processors int    `json:"multiprocessors"`
}

// Capability returns the compute capability, "9.0" for example.
func (c Card) Capability() string { return fmt.Sprintf("%d.%d", c.Major, c.Minor) }

// Cards lists the devices of this machine.
func (d *Driver) Cards() ([]Card, error) {
	var n int32
	if err := d.check(cuDeviceGetCount, d.call(cuDeviceGetCount, uintptr(unsafe.Pointer(&n)))); err != nil {
		return nil, err
	}
	cards := make([]Card, n)
	for i := range cards {
		handle, err := d.device(i)
		if err != nil {
			return nil, err
		}
		if cards[i], err = d.card(i, handle); err != nil {
			return nil, err
		}
	}
	return cards, nil
}

// device returns the driver's handle of a device.
func (d *Driver) device(index int) (handle int32, err error) {
	err = d.check(cuDeviceGet, d.call(cuDeviceGet, uintptr(unsafe.Pointer(&handle)), uintptr(index)))
	return handle, err
}

func (d *Driver) card(index int, handle int32) (Card, error) {
	c := Card{Index: index}
	var name [256]byte
	if err := d.check(cuDeviceGetName, d.call(cuDeviceGetName, uintptr(unsafe.Pointer(&name)), uintptr(len(name)),
		uintptr(handle))); err != nil {
		return c, err
	}
	c.Name = goString(&name[0])
	if err := d.check(cuDeviceTotalMem, d.call(cuDeviceTotalMem, uintptr(unsafe.Pointer(&c.Memory)),
		uintptr(handle))); err != nil {
		return c, err
	}
	const processors, major, minor = 16, 75, 76 // CUdevice_attribute
	for attribute, to := range map[int]*int{processors: &c.Processors, major: &c.Major, minor: &c.Minor} {
		var v int32
		if err := d.check(cuDeviceGetAttribute, d.call(cuDeviceGetAttribute, uintptr(unsafe.Pointer(&v)),
			uintptr(attribute), uintptr(handle))); err != nil {
			return c, err
		}
		*to = int(v)
	}
	return c, nil
}

// current makes a context current on the calling thread and locks the goroutine to that thread until leave is called.
func (d *Driver) current(context uintptr) (leave func(), err error) {
	runtime.LockOSThread()
	if err := d.check(cuCtxSetCurrent, d.call(cuCtxSetCurrent, context)); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return runtime.UnlockOSThread, nil
}
