//go:build amd64 && !noasm

package kernel

import "unsafe"

// channelArgs are the arguments of the kernels of batch norm. A row is a channel of a sample; pointers to coefficients
// and sums have one element for each row.
type channelArgs struct {
	x, y, dst       unsafe.Pointer
	row             int // bytes from row to row of x, y and dst
	n               int // elements of a row: for sums a positive multiple of sixteen
	rows            int // at least 1
	mean, sum, dot  unsafe.Pointer
	scale, shift    unsafe.Pointer
	a, b, c, centre unsafe.Pointer
	floor           float32
	_               uint32
	table           unsafe.Pointer
}

// channelArgs returns the arguments that all kernels for a sample have in common, and whether there is vector code
// for them. sums says that the kernel sums rows, which takes whole sixteens: other rows are summed one by one, with
// the bits that they have on other processors.
func (f *BatchNorm[T]) channelArgs(x []float32, sums bool) (channelArgs, level, bool) {
	l := currentLevel()
	if l == generic || len(x) == 0 || sums && f.hw%16 != 0 {
		return channelArgs{}, l, false
	}
	return channelArgs{
		x: ptr(x, 0), row: 4 * f.hw, n: f.hw, rows: len(f.sum), scale: unsafe.Pointer(&f.scale[0]),
		shift: unsafe.Pointer(&f.offset[0]), floor: noFloor, table: unsafe.Pointer(&laneTable),
	}, l, true
}

func (f *BatchNorm[T]) sums32(x []float32) bool {
	a, l, ok := f.channelArgs(x, true)
	if !ok {
		return false
	}
	a.mean, a.sum, a.dot = unsafe.Pointer(&f.shift[0]), unsafe.Pointer(&f.sum[0]), unsafe.Pointer(&f.square[0])
	if l == avx512 {
		channelSumsAVX512(&a)
	} else {
		channelSumsAVX2(&a)
	}
	return true
}

func (f *BatchNorm[T]) forward32(dst, x, residual []float32) bool {
	a, l, ok := f.channelArgs(x, false)
	if !ok {
		return false
	}
	a.dst = ptr(dst, 0)
	if f.relu {
		a.floor = 0
	}
	if residual != nil {
		a.y = ptr(residual, 0)
	}
	switch {
	case l == avx512 && residual != nil:
		channelApplyAddAVX512(&a)
	case l == avx512:
		channelApplyAVX512(&a)
	case residual != nil:
		channelApplyAddAVX2(&a)
	default:
		channelApplyAVX2(&a)
	}
	return true
}

func (g *BatchNormGradient[T]) sums32(dy, x []float32) bool {
	a, l, ok := g.norm.channelArgs(x, true)
	if !ok {
		return false
	}
	a.y = ptr(dy, 0)
	a.mean, a.sum, a.dot = unsafe.Pointer(&g.mean[0]), unsafe.Pointer(&g.sum[0]), unsafe.Pointer(&g.dot[0])
	switch {
	case l == avx512 && g.gate:
		channelGradsGatedAVX512(&a)
	case l == avx512:
		channelGradsAVX512(&a)
	case g.gate:
		channelGradsGatedAVX2(&a)
	default:
		channelGradsAVX2(&a)
	}
	return true
}

func (g *BatchNormGradient[T]) backward32(dx, dy, x []float32) bool {
	a, l, ok := g.norm.channelArgs(x, false)
	if !ok {
		return false
	}
	a.y, a.dst = ptr(dy, 0), ptr(dx, 0)
	a.a, a.b, a.c = unsafe.Pointer(&g.a[0]), unsafe.Pointer(&g.b[0]), unsafe.Pointer(&g.constant[0])
	a.centre = unsafe.Pointer(&g.norm.Mean[0])
	switch {
	case l == avx512 && g.gate:
		channelBackGatedAVX512(&a)
	case l == avx512:
		channelBackAVX512(&a)
	case g.gate:
		channelBackGatedAVX2(&a)
	default:
		channelBackAVX2(&a)
	}
	return true
}
