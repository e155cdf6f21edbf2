//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// routedArgs are the arguments of the kernels on up to four rows of a matrix.
type routedArgs struct {
	w         unsafe.Pointer
	ldw       int // bytes
	z         unsafe.Pointer
	absC      unsafe.Pointer
	n         int
	c         unsafe.Pointer
	table     unsafe.Pointer
	threshold float32
	_         uint32
	coef      unsafe.Pointer
}

// routed32 adds to dst the products of z with those weights of w [rows, len(z)] that RoutedLinear keeps. It returns
// false where no vector code does.
func routed32(dst, z, w, absC []float32, threshold float32) bool {
	l := currentLevel()
	if l == generic {
		return false
	}
	in := len(z)
	if in == 0 || len(dst) == 0 {
		return true
	}
	_, _ = w[len(dst)*in-1], absC[in-1]
	a := routedArgs{ldw: 4 * in, z: ptr(z, 0), absC: ptr(absC, 0), n: in, table: unsafe.Pointer(&laneTable),
		threshold: threshold}
	for j := 0; j < len(dst); j += 4 {
		a.w, a.c = ptr(w, j*in), ptr(dst, j)
		routed(l, min(4, len(dst)-j), &a)
	}
	return true
}

// spread32 adds coef[j] times row j of w to dst, one row after the other. Rows of w are ldw elements apart. With absC
// it uses only the weights that RoutedLinear keeps. It returns false where no vector code does.
func spread32(dst, coef, w []float32, ldw int, absC []float32, threshold float32) bool {
	l := currentLevel()
	if l == generic {
		return false
	}
	if len(dst) == 0 || len(coef) == 0 {
		return true
	}
	_ = w[(len(coef)-1)*ldw+len(dst)-1]
	a := routedArgs{ldw: 4 * ldw, n: len(dst), c: ptr(dst, 0), table: unsafe.Pointer(&laneTable), threshold: threshold}
	if absC != nil {
		a.absC = ptr(absC[:len(dst)], 0)
	}
	for j := 0; j < len(coef); j += 4 {
		a.w, a.coef = ptr(w, j*ldw), ptr(coef, j)
		if absC != nil {
			spreadRouted(l, min(4, len(coef)-j), &a)
		} else {
			spread(l, min(4, len(coef)-j), &a)
		}
	}
	return true
}
