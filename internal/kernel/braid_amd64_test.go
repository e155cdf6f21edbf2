//go:build amd64 && !noasm

package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBraid interleaves every number of rows that a tile of any level has, and every number of a panel's eight rows.
func TestBraid(t *testing.T) {
	if len(detect()) == 1 {
		t.Skip("no vector code on this CPU")
	}
	var mem arena
	defer mem.free()
	rng := newRand(1)
	for rows := 1; rows <= 12; rows++ {
		for n := 1; n < 14; n++ {
			for _, lda := range []int{n, n + 5} {
				src := guarded(&mem, randSlice[float32](rng, (rows-1)*lda+n))
				dst := guarded(&mem, nans[float32](rows*n+7))
				braid(dst, rows, src, lda, n)
				for l := range n {
					for i := range rows {
						require.Equal(t, src[i*lda+l], dst[l*rows+i], "row %d of %d, column %d of %d", i, rows, l, n)
					}
				}
				if rows > 8 {
					continue
				}
				for _, width := range []int{16, 32} {
					dst := guarded(&mem, nans[float32]((n-1)*width+8))
					braidEight(dst, width, src, lda, n, rows)
					for l := range n {
						for i := range rows {
							require.Equal(t, src[i*lda+l], dst[l*width+i], "row %d of %d, column %d of %d", i, rows, l,
								n)
						}
					}
				}
			}
		}
	}
}
