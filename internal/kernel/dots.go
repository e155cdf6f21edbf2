//go:build (amd64 || arm64) && !noasm

package kernel

import "unsafe"

// dotsArgs are the arguments of the dot kernels: c[i][j] += a[i]·b[j]. The vectors a[i] and b[j] consist of several
// parts of n elements.
type dotsArgs struct {
	a     unsafe.Pointer
	lda   int // bytes
	b     unsafe.Pointer
	off   unsafe.Pointer // int32 offsets of each b[j], in bytes
	n     int            // elements per part
	c     unsafe.Pointer
	ldc   int // bytes
	table unsafe.Pointer
	parts int // number of parts, at least 1
	aPart int // bytes from part to part
	bPart int
	_     int // the kernel's own: number of parts left
}

// dots adds to c the products of the given number of rows of a with all columns that off lists. See dotsArgs for d.
func dots(l level, rows int, off []int32, d dotsArgs) {
	if rows == 0 || len(off) == 0 || d.n == 0 {
		return
	}
	d.table = unsafe.Pointer(&laneTable)
	most, wide := l.dotsShape()
	a, c := d.a, d.c
	for j := 0; j < len(off); j += wide {
		d.off = unsafe.Pointer(&off[j])
		cols := min(wide, len(off)-j)
		for i := 0; i < rows; {
			r := min(most, rows-i)
			if left := rows - i; left > most && left < 2*most {
				r = (left + 1) / 2 // two tiles of nearly equal height
			}
			d.a, d.c = unsafe.Add(a, i*d.lda), unsafe.Add(c, i*d.ldc+4*j)
			dotsTile(l, r, cols, &d)
			i += r
		}
	}
}

// dots32 computes c[i*ldc+j] += a[i*lda:][:n]·b[j*ldb:][:n] for rows i and columns j. The bits of a product do not
// depend on rows and cols. It returns false where no vector code does.
func dots32(rows, n int, a []float32, lda int, b []float32, ldb, cols int, c []float32, ldc int) bool {
	l := currentLevel()
	if l == generic {
		return false
	}
	if rows == 0 || n == 0 || cols == 0 {
		return true
	}
	const most = 256
	var off [most]int32
	for i := range off {
		off[i] = int32(4 * i * ldb)
	}
	_ = a[(rows-1)*lda+n-1]
	_ = b[(cols-1)*ldb+n-1]
	_ = c[(rows-1)*ldc+cols-1]
	for j := 0; j < cols; j += most {
		dots(l, rows, off[:min(most, cols-j)], dotsArgs{a: ptr(a, 0), lda: 4 * lda, b: ptr(b, j*ldb), n: n,
			c: ptr(c, j), ldc: 4 * ldc, parts: 1})
	}
	return true
}
