//go:build amd64 && !noasm

package kernel

import "unsafe"

// thinArgs are the arguments of a thin tile: the columns that a product has behind whole vectors of them, of several
// row tiles of as many rows each. Fields that tileArgs has, too, mean the same.
type thinArgs struct {
	a       unsafe.Pointer
	tile    int // bytes from the weights of a row tile to those of the next
	rows    int // of a tile
	off     unsafe.Pointer
	k       int
	b, c    unsafe.Pointer
	ldc     int // bytes, times rows below 2^31
	bias    unsafe.Pointer
	res     unsafe.Pointer
	flags   int
	ceil    float32
	mask    uint64 // a bit for each row of a tile
	numbers unsafe.Pointer
}

// thinColumns is the number of columns behind whole vectors of them up to which thin tiles are faster: a vector of
// columns takes as long with one column as with sixteen, a thin tile a quarter of that for four columns.
const thinColumns = 4

// thinTogether is the most row tiles of one thin tile.
const thinTogether = 4

// thinNumbers are the lanes of a vector.
var thinNumbers = [16]int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// thinOf returns how many of so many columns, the last, are for thin tiles.
func thinOf(l level, cols int) int {
	if n := cols % 16; l == avx512 && n <= thinColumns {
		return n
	}
	return 0
}

// thinRun returns how many of the first row tiles, at most thinTogether, have as many rows as the first.
func thinRun(tiles []int) int { return min(equalRun(tiles), thinTogether) }

// thinTile computes cols columns of some row tiles of rows rows each, whose weights follow each other. t has the
// arguments of the first, at the first of the columns.
func thinTile(rows, tiles, cols int, t *tileArgs) {
	a := thinArgs{
		a: t.a, tile: 4 * rows * t.k, rows: rows, off: t.off, k: t.k, b: t.b, c: t.c, ldc: t.ldc, bias: t.bias,
		res: t.res, flags: t.flags, ceil: t.ceil, mask: 1<<rows - 1, numbers: unsafe.Pointer(&thinNumbers),
	}
	for tiles > 0 {
		n := tiles
		if n == 3 {
			n = 2
		}
		thin(n, cols, &a)
		if tiles -= n; tiles > 0 {
			a.a, a.c = unsafe.Add(a.a, n*a.tile), unsafe.Add(a.c, n*rows*a.ldc)
			if a.bias != nil {
				a.bias = unsafe.Add(a.bias, 4*n*rows)
			}
			if a.res != nil {
				a.res = unsafe.Add(a.res, n*rows*a.ldc)
			}
		}
	}
}
