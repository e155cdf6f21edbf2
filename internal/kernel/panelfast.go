//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// panelTileArgs are the arguments of the tiles of float64 and int16.
type panelTileArgs struct {
	a, b unsafe.Pointer
	k    int // number of terms or pairs, at least 1
	c    unsafe.Pointer
	ldc  int // bytes
	// flags is 1 to add to c, otherwise 0.
	flags int
}

// notBelowArgs are the arguments of notBelow.
type notBelowArgs struct {
	dst, src, gain, shift unsafe.Pointer
	n                     int // a positive multiple of eight
	scale, bound          float32
}

// rotateArgs are the arguments of rotate.
type rotateArgs struct {
	rows, turns unsafe.Pointer
	n           int // at least 1
	step        int // bytes
}

func resumeFlag(resume bool) int {
	if resume {
		return 1
	}
	return 0
}

func doublePanelFast(c []float64, ldc int, a, b []float64, rows, terms int, resume bool) bool {
	if currentLevel() == generic {
		return false
	}
	doubleTile(rows, &panelTileArgs{unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), terms, unsafe.Pointer(&c[0]), 8 * ldc,
		resumeFlag(resume)})
	return true
}

func shortPanelFast(c []int32, ldc int, a, b []int16, rows, pairs int, resume bool) bool {
	if currentLevel() == generic {
		return false
	}
	shortTile(rows, &panelTileArgs{unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), pairs, unsafe.Pointer(&c[0]), 4 * ldc,
		resumeFlag(resume)})
	return true
}

func notBelowFast(dst []uint8, src []int32, gain, shift []float32, scale, bound float32) bool {
	if currentLevel() == generic {
		return false
	}
	notBelow(&notBelowArgs{unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), unsafe.Pointer(&gain[0]),
		unsafe.Pointer(&shift[0]), len(src), scale, bound})
	return true
}

func rotateFast(rows, turns []float64, n, at, step int) bool {
	if currentLevel() == generic {
		return false
	}
	rotate(&rotateArgs{unsafe.Pointer(&rows[at]), unsafe.Pointer(&turns[0]), n, 8 * step})
	return true
}
