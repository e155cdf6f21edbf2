package kernel

// Sizes of packed panels, whose products are the building blocks of matrix products in float64 and in int16. A left
// panel holds at most PanelRows rows; the rows' elements of one term lie side by side. A right panel holds
// DoubleColumns or ShortColumns columns, side by side for each term or pair of terms. Products have the same bits at
// all levels.
const (
	PanelRows     = 6
	DoubleColumns = 8
	ShortColumns  = 16
)

// DoublePanel computes c[i*ldc+j] = the sum over terms l of a[l*rows+i] * b[l*DoubleColumns+j], for the rows i and all
// columns j of a panel; with resume it adds to c. The terms are added in order. Each is rounded twice: after the
// product and after the sum.
func DoublePanel(c []float64, ldc int, a, b []float64, rows, terms int, resume bool) {
	checkPanel(rows)
	c, a, b = c[:(rows-1)*ldc+DoubleColumns], a[:terms*rows], b[:terms*DoubleColumns]
	if terms > 0 && doublePanelFast(c, ldc, a, b, rows, terms, resume) {
		return
	}
	for i := range rows {
		to := c[i*ldc:][:DoubleColumns]
		if !resume {
			clear(to)
		}
		s0, s1, s2, s3, s4, s5, s6, s7 := to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7]
		for l := range terms {
			x, y := a[l*rows+i], b[l*DoubleColumns:][:DoubleColumns]
			s0 += float64(x * y[0])
			s1 += float64(x * y[1])
			s2 += float64(x * y[2])
			s3 += float64(x * y[3])
			s4 += float64(x * y[4])
			s5 += float64(x * y[5])
			s6 += float64(x * y[6])
			s7 += float64(x * y[7])
		}
		to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7] = s0, s1, s2, s3, s4, s5, s6, s7
	}
}

// ShortPanel is DoublePanel for integers: a is [pairs, rows, 2], b [pairs, ShortColumns, 2], c of int32. Sums outside
// of the range of int32 wrap. A pair in a and its pair in b must not consist of -32768 only.
func ShortPanel(c []int32, ldc int, a, b []int16, rows, pairs int, resume bool) {
	checkPanel(rows)
	c, a, b = c[:(rows-1)*ldc+ShortColumns], a[:pairs*rows*2], b[:pairs*ShortColumns*2]
	if pairs > 0 && shortPanelFast(c, ldc, a, b, rows, pairs, resume) {
		return
	}
	for i := range rows {
		to := c[i*ldc:][:ShortColumns]
		if !resume {
			clear(to)
		}
		for l := range pairs {
			x0, x1 := int32(a[2*(l*rows+i)]), int32(a[2*(l*rows+i)+1])
			y := b[2*l*ShortColumns:][:2*ShortColumns]
			for j := range to {
				to[j] += x0*int32(y[2*j]) + x1*int32(y[2*j+1])
			}
		}
	}
}

func checkPanel(rows int) {
	if rows < 1 || rows > PanelRows {
		panic("kernel: no such panel")
	}
}

// NotBelow sets bit i%8 of dst[i/8] if src[i]*gain[i]*scale + shift[i], rounded after each operation, is not below
// bound, or is NaN. The length of src must be a multiple of eight.
func NotBelow(dst []uint8, src []int32, gain, shift []float32, scale, bound float32) {
	if len(src)%8 != 0 {
		panic("kernel: not a multiple of eight")
	}
	dst, gain, shift = dst[:len(src)/8], gain[:len(src)], shift[:len(src)]
	if len(src) == 0 || notBelowFast(dst, src, gain, shift, scale, bound) {
		return
	}
	for i := range dst {
		var b uint8
		for j := range 8 {
			at := 8*i + j
			if v := float32(float32(float32(float32(src[at])*gain[at])*scale) + shift[at]); !(v < bound) {
				b |= 1 << j
			}
		}
		dst[i] = b
	}
}

// RotateColumns is the number of columns that Rotate processes together.
const RotateColumns = 16

// Rotate applies a sweep of plane rotations to rows [len(turns)/2+1, RotateColumns]. For each pair c, s of turns [n,
// 2], in order, a row becomes c*x + s*y and the next row becomes c*y - s*x, where x and y are the present values of the
// two. The sweep starts with the first row and goes down or, with up, starts with the last row and goes up. No product
// is fused with a sum.
func Rotate(rows, turns []float64, up bool) {
	n := len(turns) / 2
	rows = rows[:(n+1)*RotateColumns]
	at, step := 0, RotateColumns
	if up {
		at, step = n*RotateColumns, -RotateColumns
	}
	if n == 0 || rotateFast(rows, turns, n, at, step) {
		return
	}
	for i := range n {
		c, s := turns[2*i], turns[2*i+1]
		x, y := rows[at:][:RotateColumns], rows[at+step:][:RotateColumns]
		for j, v := range x {
			w := y[j]
			x[j] = float64(v*c) + float64(w*s)
			y[j] = float64(w*c) - float64(v*s)
		}
		at += step
	}
}
