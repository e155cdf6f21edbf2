package cuda

import (
	"unsafe"
)

// Stream is a queue of work that a device does in order. It is not safe for concurrent use.
type Stream struct {
	context *Context
	handle  uintptr
}

// NewStream returns an empty queue.
func (c *Context) NewStream() (*Stream, error) {
	s := &Stream{context: c}
	const nonBlocking = 1 // CU_STREAM_NON_BLOCKING: does not wait for the default stream
	err := c.do(func(d *Driver) error {
		return d.check(cuStreamCreate, d.call(cuStreamCreate, uintptr(unsafe.Pointer(&s.handle)), nonBlocking))
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// DefaultStream returns the context's default stream, for work beside that of another library in a context of
// [Driver.Adopt].
func (c *Context) DefaultStream() *Stream { return &Stream{context: c} }

// Context returns the context that the stream belongs to.
func (s *Stream) Context() *Context { return s.context }

// Close destroys the stream. Work that is queued is still done.
func (s *Stream) Close() error {
	if s.handle == 0 {
		return nil
	}
	h := s.handle
	s.handle = 0
	return s.context.do(func(d *Driver) error { return d.check(cuStreamDestroy, d.call(cuStreamDestroy, h)) })
}

// Sync waits for all work of the stream. It returns the errors of kernels.
func (s *Stream) Sync() error {
	return s.context.do(func(d *Driver) error {
		return d.check(cuStreamSynchronize, d.call(cuStreamSynchronize, s.handle))
	})
}

// Upload queues a copy of src to the device. If src is pinned memory, it must not change until the stream has done the
// copy; other memory has been read when Upload returns.
func Upload[T float32 | int | int64 | uint64](s *Stream, dst Ptr, src []T) error {
	if len(src) == 0 {
		return nil
	}
	return s.context.do(func(d *Driver) error {
		return d.check(cuMemcpyHtoDAsync, d.call(cuMemcpyHtoDAsync, uintptr(dst), uintptr(unsafe.Pointer(&src[0])),
			uintptr(len(src))*unsafe.Sizeof(src[0]), s.handle))
	})
}

// Download queues a copy from the device to dst, which holds the values after [Stream.Sync].
func Download[T float32 | int | int64 | uint64](s *Stream, dst []T, src Ptr) error {
	if len(dst) == 0 {
		return nil
	}
	return s.context.do(func(d *Driver) error {
		return d.check(cuMemcpyDtoHAsync, d.call(cuMemcpyDtoHAsync, uintptr(unsafe.Pointer(&dst[0])), uintptr(src),
			uintptr(len(dst))*unsafe.Sizeof(dst[0]), s.handle))
	})
}

// Zero queues the zeroing of the given number of bytes, a multiple of four.
func (s *Stream) Zero(p Ptr, bytes int) error {
	return s.context.do(func(d *Driver) error {
		return d.check(cuMemsetD32Async, d.call(cuMemsetD32Async, uintptr(p), 0, uintptr(bytes/4), s.handle))
	})
}
