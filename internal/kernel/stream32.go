//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// streamArgs are the arguments of the elementwise kernels. Each kernel uses some of them.
type streamArgs struct {
	dst, a, b, c unsafe.Pointer
	n            int
	table        unsafe.Pointer
	s, _         float32
	t, _         float32
	floor, _     float32
	m, _         float32
}

// run runs the operation. It returns false where no vector code does.
func (st *stream) run() bool {
	l := currentLevel()
	if l == generic {
		return false
	}
	n := len(st.dst)
	if n == 0 {
		return true
	}
	args := streamArgs{dst: ptr(st.dst, 0), n: n, table: unsafe.Pointer(&laneTable), s: st.s, t: st.t, floor: st.floor,
		m: st.m}
	if st.a != nil {
		args.a = ptr(st.a[:n], 0)
	}
	if st.b != nil {
		args.b = ptr(st.b[:n], 0)
	}
	if st.c != nil {
		args.c = ptr(st.c[:n], 0)
	}
	runStream(l, st.op, &args)
	return true
}
