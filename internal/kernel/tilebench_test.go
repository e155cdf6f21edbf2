//go:build amd64 && !noasm

package kernel

import (
	"os"
	"testing"
	"unsafe"
)

func TestTileSpeed(t *testing.T) {
	if os.Getenv("SPEED") == "" {
		t.Skip("set SPEED=1")
	}
	for range 2 {
		ns := best(func() { peakAVX512(&peakArgs{1000}) }, 100)
		t.Logf("peak 512 %.1f GFLOP/s", 1000*12*32/ns*1e-9)
		ns = best(func() { peakAVX2(&peakArgs{1000}) }, 100)
		t.Logf("peak avx2 %.1f GFLOP/s", 1000*12*16/ns*1e-9)
	}
	for _, tc := range []struct {
		name           string
		rows, vecs, vl int
		f              func(int, int, *tileArgs)
	}{{"512", 12, 2, 16, tileAVX512}, {"512", 11, 2, 16, tileAVX512}, {"512", 10, 2, 16, tileAVX512},
		{"512", 8, 2, 16, tileAVX512}, {"512h", 12, 2, 16, tileAVX512h}, {"512p", 12, 2, 16, tileAVX512p},
		{"512", 12, 1, 16, tileAVX512}, {"avx2", 6, 2, 8, tileAVX2}, {"avx2", 5, 2, 8, tileAVX2},
		{"avx2", 4, 2, 8, tileAVX2}, {"avx2", 6, 1, 8, tileAVX2}} {
		for _, k := range []int{48, 128, 432} {
			a := make([]float32, 12*k)
			bb := make([]float32, 32*k+64)
			c := make([]float32, 12*32)
			off := make([]int32, k)
			for i := range off {
				off[i] = int32(i * tc.vecs * tc.vl * 4)
			}
			p := uintptr(unsafe.Pointer(&bb[0]))
			ta := tileArgs{a: unsafe.Pointer(&a[0]), off: unsafe.Pointer(&off[0]), k: k,
				b: unsafe.Add(unsafe.Pointer(&bb[0]), -p&63), b1: tc.vl * 4, c: unsafe.Pointer(&c[0]), ldc: 128, h0: 32,
				h1: 32}
			s := best(func() { tc.f(tc.rows, tc.vecs, &ta) }, 100)
			t.Logf("%s %dx%d k=%d: %.1f GFLOP/s", tc.name, tc.rows, tc.vecs, k,
				float64(2*tc.rows*tc.vecs*tc.vl*k)/s*1e-9)
		}
	}
}
