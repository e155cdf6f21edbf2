package jpeg

// Multipliers of the inverse DCT in 13-bit fixed point: round(x * 2^13), from the rotations of Loeffler et al. 1989.
const (
	constBits = 13
	pass1Bits = 2 // extra precision kept between the two passes

	fix0298631336 = 2446
	fix0390180644 = 3196
	fix0541196100 = 4433
	fix0765366865 = 6270
	fix0899976223 = 7373
	fix1175875602 = 9633
	fix1501321110 = 12299
	fix1847759065 = 15137
	fix1961570560 = 16069
	fix2053119869 = 16819
	fix2562915447 = 20995
	fix3072711026 = 25172
)

// idct8 is the one-dimensional inverse DCT of 8 values, scaled by sqrt(8) * 2^13.
func idct8(x0, x1, x2, x3, x4, x5, x6, x7 int32) (y0, y1, y2, y3, y4, y5, y6, y7 int32) {
	// Even part: the rotation of x2, x6 and the butterfly of x0, x4.
	r := (x2 + x6) * fix0541196100
	e2 := r - x6*fix1847759065
	e3 := r + x2*fix0765366865
	e0 := (x0 + x4) << constBits
	e1 := (x0 - x4) << constBits
	a0, a3 := e0+e3, e0-e3
	a1, a2 := e1+e2, e1-e2

	// Odd part.
	z1, z2, z3, z4 := x7+x1, x5+x3, x7+x3, x5+x1
	z5 := (z3 + z4) * fix1175875602
	z1 *= -fix0899976223
	z2 *= -fix2562915447
	z3 = z5 - z3*fix1961570560
	z4 = z5 - z4*fix0390180644
	o7 := x7*fix0298631336 + z1 + z3
	o5 := x5*fix2053119869 + z2 + z4
	o3 := x3*fix3072711026 + z2 + z3
	o1 := x1*fix1501321110 + z1 + z4

	return a0 + o1, a1 + o3, a2 + o5, a3 + o7, a3 - o7, a2 - o5, a1 - o3, a0 - o1
}

// transform computes and stores the samples of one block: dequantisation, inverse DCT, level shift, clamping. last is
// the zigzag position of the last coefficient that can be non-zero.
func (c *component) transform(b *block, last, bx, by int) {
	at := by*8*c.stride + bx*8
	if last == 0 {
		// For a single DC coefficient the two passes below reduce to this.
		v := clamp((int32(b[0])*c.quant[0]+4)>>3 + 128)
		for y := range 8 {
			row := c.plane[at+y*c.stride:][:8]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	const (
		shift1 = constBits - pass1Bits
		round1 = 1 << (shift1 - 1)
		shift2 = constBits + pass1Bits + 3
		round2 = 1 << (shift2 - 1)
	)
	var w [64]int32
	q := &c.quant
	for x := range 8 {
		if b[x+8]|b[x+16]|b[x+24]|b[x+32]|b[x+40]|b[x+48]|b[x+56] == 0 {
			dc := int32(b[x]) * q[x] << pass1Bits
			for y := 0; y < 64; y += 8 {
				w[x+y] = dc
			}
			continue
		}
		y0, y1, y2, y3, y4, y5, y6, y7 := idct8(
			int32(b[x])*q[x], int32(b[x+8])*q[x+8], int32(b[x+16])*q[x+16], int32(b[x+24])*q[x+24],
			int32(b[x+32])*q[x+32], int32(b[x+40])*q[x+40], int32(b[x+48])*q[x+48], int32(b[x+56])*q[x+56])
		w[x] = (y0 + round1) >> shift1
		w[x+8] = (y1 + round1) >> shift1
		w[x+16] = (y2 + round1) >> shift1
		w[x+24] = (y3 + round1) >> shift1
		w[x+32] = (y4 + round1) >> shift1
		w[x+40] = (y5 + round1) >> shift1
		w[x+48] = (y6 + round1) >> shift1
		w[x+56] = (y7 + round1) >> shift1
	}
	for y := range 8 {
		r := w[8*y:][:8]
		row := c.plane[at+y*c.stride:][:8]
		y0, y1, y2, y3, y4, y5, y6, y7 := idct8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
		row[0] = clamp((y0+round2)>>shift2 + 128)
		row[1] = clamp((y1+round2)>>shift2 + 128)
		row[2] = clamp((y2+round2)>>shift2 + 128)
		row[3] = clamp((y3+round2)>>shift2 + 128)
		row[4] = clamp((y4+round2)>>shift2 + 128)
		row[5] = clamp((y5+round2)>>shift2 + 128)
		row[6] = clamp((y6+round2)>>shift2 + 128)
		row[7] = clamp((y7+round2)>>shift2 + 128)
	}
}

// inverse transforms all coefficients of a progressive component.
func (c *component) inverse() {
	for i := range c.coef {
		c.transform(&c.coef[i], 63, i%c.blocksX, i/c.blocksX)
	}
	c.coef = nil
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
