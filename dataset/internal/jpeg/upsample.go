package jpeg

// row returns one row of the component at the picture's full width (or more).
//
// Factors of two use the triangle filter: along each axis the nearer sample has weight 3/4, the farther 1/4. The
// rounding alternates between samples to avoid a bias. In planes of at most two columns, and for other factors,
// samples are repeated.
func (c *component) row(y int) []uint8 {
	if c.hExp == 1 && c.vExp == 1 {
		return c.plane[y*c.stride:][:c.stride]
	}
	if c.wide == nil {
		c.wide = make([]uint8, c.width*c.hExp)
	}
	near := y / c.vExp
	in := c.plane[near*c.stride:][:c.width]
	fancyH := c.hExp == 2 && c.width > 2
	switch {
	case fancyH && c.vExp == 1:
		triangleH(c.wide, in)
	case fancyH && c.vExp == 2:
		triangleHV(c.wide, in, c.neighbour(y))
	case c.hExp == 1 && c.vExp == 2:
		triangleV(c.wide, in, c.neighbour(y), int32(1+y%2))
	default:
		for x, v := range in {
			for i := range c.hExp {
				c.wide[x*c.hExp+i] = v
			}
		}
	}
	return c.wide
}

// neighbour is the second-nearest row to output row y for a vertical factor of two: the row above for even y, the row
// below for odd y, and the row itself at the border.
func (c *component) neighbour(y int) []uint8 {
	n := y/2 - 1 + y%2*2
	n = min(max(n, 0), c.height-1)
	return c.plane[n*c.stride:][:c.width]
}

func triangleH(dst, in []uint8) {
	n := len(in)
	for i, v := range in {
		v3 := 3 * int32(v)
		left, right := int32(v), int32(v)
		if i > 0 {
			left = int32(in[i-1])
		}
		if i < n-1 {
			right = int32(in[i+1])
		}
		dst[2*i] = uint8((v3 + left + 1) >> 2)
		dst[2*i+1] = uint8((v3 + right + 2) >> 2)
	}
}

func triangleV(dst, near, far []uint8, bias int32) {
	for i, v := range near {
		dst[i] = uint8((3*int32(v) + int32(far[i]) + bias) >> 2)
	}
}

func triangleHV(dst, near, far []uint8) {
	n := len(near)
	left := 3*int32(near[0]) + int32(far[0])
	this := left
	for i := range n {
		right := this
		if i < n-1 {
			right = 3*int32(near[i+1]) + int32(far[i+1])
		}
		dst[2*i] = uint8((3*this + left + 8) >> 4)
		dst[2*i+1] = uint8((3*this + right + 7) >> 4)
		left, this = this, right
	}
}
