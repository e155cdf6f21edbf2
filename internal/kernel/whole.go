//go:build (amd64 || arm64) && !noasm

package kernel

// whole is a convolution with a single output pixel, which reads the whole input: a product of a matrix and a vector.
type whole struct {
	level   level
	g       ConvGeom
	weights []float32 // [O, C*KH*KW]
}

// wholeFits reports whether a geometry is such a product, for example a 1x1 convolution of one pixel in a
// squeeze-and-excitation block.
func wholeFits(g ConvGeom) bool {
	return g.Groups == 1 && g.KH == g.H && g.KW == g.W && g.PH+g.EH == 0 && g.PW+g.EW == 0 && g.PH == 0 && g.PW == 0 &&
		g.DH == 1 && g.DW == 1
}

func (e *whole) pack(s weightSource) {
	n := len(s.tap)
	if e.weights == nil {
		e.weights = make([]float32, e.g.O*e.g.C*n)
	}
	for m := range e.g.O {
		row := e.weights[m*e.g.C*n:][:e.g.C*n]
		for i := range row {
			row[i] = s.w[m*s.byOut+i/n*s.byIn+s.tap[i%n]]
			if s.scale != nil {
				row[i] *= s.scale[m]
			}
		}
	}
}

func (e *whole) scratchLen() int { return e.g.O }

func (e *whole) ceils() bool { return true }

// run computes one image; see planIO.
func (e *whole) run(image planIO) { e.rows(&image, span{0, e.g.O}) }

// rows computes some outputs.
func (e *whole) rows(io *planIO, rows span) {
	n, dst := e.g.InLen(), io.dst[rows.lo:rows.hi]
	if len(dst) == 0 {
		return
	}
	if !io.accumulate {
		clear(dst)
	}
	off := [1]int32{}
	dots(e.level, len(dst), off[:], dotsArgs{a: ptr(e.weights, rows.lo*n), lda: 4 * n, n: n, b: ptr(io.src[:n], 0),
		c: ptr(dst, 0), ldc: 4, parts: 1})
	if io.accumulate {
		return
	}
	for i, b := range io.bias[rows.lo:rows.hi] {
		dst[i] += b
	}
	if io.residual != nil {
		AddTo(dst, io.residual[rows.lo:rows.hi])
	}
	io.dst = dst
	io.finish(len(dst))
}
