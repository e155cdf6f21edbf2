//go:build amd64 && !noasm

package kernel

import "unsafe"

// depthArgs are the arguments of the depthwise kernels. Strides are in bytes.
type depthArgs struct {
	dst        unsafe.Pointer // outputs; their gradients where the weights' are computed
	dstRow     int
	dstChannel int
	src        unsafe.Pointer
	srcRow     int
	srcChannel int
	weights    unsafe.Pointer // [channels, 9], or their gradients
	bias       unsafe.Pointer
	floor      float32
	_          uint32
	rows       int // of outputs
	height     int // rows of the input
	top        int // input row that the first output row starts at, negative in the padding
	channels   int // at least 1
	strips     unsafe.Pointer
	count      int // strips, at least 1
	more       int // weight gradient on AVX2: strips after those, of the upper half of sixteen lanes
	zero       unsafe.Pointer
	table      unsafe.Pointer
	masked     int            // AVX2: not zero asks for nothing beyond a row to be read or written
	saved      unsafe.Pointer // AVX2: room for nine vectors
	_          [5]int         // the kernel's own
}

// depthStrip is a vector of columns of every row: where it lies and which lanes of each load (by column of weights with
// stride one; with stride two of consecutive vectors) and store (from the fifth mask on) are in the plane.
type depthStrip struct {
	src, dst int // bytes from the row's start
	plain    int // one: all lanes of all masks are; AVX2: two where few masks suffice, see fewMasks
	bits     [6]int
	lanes    [6][8]int32
}

const stripStores = 4 // first mask of the stores

// mask makes mask i the lanes whose column, the first one's plus step for each, is in [0, n).
func (s *depthStrip) mask(i, lanes, first, step, n int) {
	for lane := range lanes {
		if x := first + lane*step; x >= 0 && x < n {
			s.bits[i] |= 1 << lane
			if lane < 8 {
				s.lanes[i][lane] = -1
			}
		}
	}
	if s.bits[i] != 1<<lanes-1 {
		s.plain = 0
	}
}

// depthTable holds, for pairs of vectors, their even lanes, their odd lanes, and both halves of their lanes in turns:
// of sixteen lanes, then of eight.
var depthTable = func() (t [96]int32) {
	for i := range 16 {
		t[i], t[16+i] = int32(2*i), int32(2*i+1)
		t[32+i], t[64+i] = int32(i/2+16*(i%2)), int32(8+i/2+16*(i%2))
	}
	for i := range 8 {
		t[48+i], t[80+i] = int32(i/2+8*(i%2)), int32(4+i/2+8*(i%2))
	}
	return t
}()

// depthLanes returns how many of cols columns go to vectors of sixteen lanes; eight lanes take the rest.
func depthLanes(l level, cols int) int {
	wide := cols &^ 15
	switch {
	case l == avx2:
		return 0
	case cols-wide > 8:
		return cols
	}
	return wide
}

// correlationStrip is the strip of outputs from column x on.
func correlationStrip(g ConvGeom, lanes, x int) depthStrip {
	first := x*g.SW - g.PW
	s := depthStrip{src: 4 * first, dst: 4 * x, plain: 1}
	switch {
	case g.SW == 1:
		for t := range 3 {
			s.mask(t, lanes, first+t, 1, g.W)
		}
	case lanes == 16:
		s.mask(0, 16, first, 1, g.W)
		s.mask(1, 16, first+16, 1, g.W)
		s.mask(2, 1, first+32, 1, g.W)
	default: // the third mask is the third vector's first lane alone with mask registers
		s.mask(0, 8, first, 1, g.W)
		s.mask(1, 8, first+8, 1, g.W)
		s.mask(2, 8, first+2, 1, g.W)
		s.mask(3, 8, first+10, 1, g.W)
		if first+16 < 0 || first+16 >= g.W {
			s.bits[2] = 0
		} else {
			s.bits[2] = 1
		}
	}
	s.mask(stripStores, lanes, x, 1, g.OutW())
	return s
}

// fewMasks reports whether a strip of eight lanes from column x on needs no masks but those of the first and the third
// column of weights, or with stride two that of the first load, for the outputs that it has.
func fewMasks(g ConvGeom, x int) bool {
	first, outs := x*g.SW-g.PW, min(8, g.OutW()-x)
	in := func(from, to int) bool { return first+from >= 0 && first+to < g.W }
	if g.SW == 1 {
		return in(1, outs)
	}
	return in(2, 2*outs)
}

// depthwise is a 3x3 convolution of each channel with its own weights, of stride one or two.
type depthwise struct {
	level   level
	g       ConvGeom
	plain   bool
	weights []float32    // [C, 3, 3]
	wide    []depthStrip // of sixteen lanes
	narrow  []depthStrip // of eight lanes
	blockC  int          // channels that stay in cache from one pass to the next
}

const depthCache = 64 << 10 // bytes of input planes worked on at a time

func depthwiseFits(g ConvGeom) bool {
	return g.Groups == g.C && g.O == g.C && g.KH == 3 && g.KW == 3 && g.DH == 1 && g.DW == 1 && g.SH == g.SW && g.SH <= 2
}

// newDepthwise lays out a geometry that fits; pack gives it weights. plain says that there is no pre operation.
func newDepthwise(l level, g ConvGeom, plain bool) *depthwise {
	d := &depthwise{level: l, g: g, plain: plain}
	wide, cols := depthLanes(l, g.OutW()), g.OutW()
	for x := 0; x < wide; x += 16 {
		d.wide = append(d.wide, correlationStrip(g, 16, x))
	}
	// Without mask registers the last strip's stores run over into the next row, whose turn must come after.
	for x := (cols - 1) &^ 7; x >= wide; x -= 8 {
		s := correlationStrip(g, 8, x)
		if s.plain == 0 && fewMasks(g, x) {
			s.plain = 2
		}
		d.narrow = append(d.narrow, s)
	}
	d.blockC = min(g.C, max(1, depthCache/4/(g.H*g.W)))
	return d
}

func (d *depthwise) pack(s weightSource) { d.weights = packDepth(d.weights, d.g.C, s) }

func packDepth(weights []float32, channels int, s weightSource) []float32 {
	if weights == nil {
		weights = make([]float32, 9*channels)
	}
	for c := range channels {
		for t, at := range s.tap {
			v := s.w[c*s.byGroup+at]
			if s.scale != nil {
				v *= s.scale[c]
			}
			weights[9*c+t] = v
		}
	}
	return weights
}

func (d *depthwise) scratchLen() int {
	n := d.g.OutLen()
	if !d.plain {
		n += d.blockC * d.g.H * d.g.W
	}
	return n + slackLanes
}

// run computes one image; see planIO.
func (d *depthwise) run(io *planIO) {
	n := d.g.OutLen()
	switch {
	case io.accumulate:
		own := *io
		own.dst, own.scratch, own.accumulate = io.scratch[:n], io.scratch[n:], false
		d.convolve(&own)
		AddTo(io.dst[:n], own.dst)
	case io.residual != nil:
		own := *io
		own.relu = false
		d.convolve(&own)
		Add(io.dst[:n], io.dst[:n], io.residual[:n])
		if io.relu {
			ReLU(io.dst[:n], io.dst[:n])
		}
	default:
		d.convolve(io)
	}
}

// convolve is run without residual and accumulation.
func (d *depthwise) convolve(io *planIO) {
	g := d.g
	in, out := g.H*g.W, g.OutH()*g.OutW()
	a := depthArgs{
		dstRow: 4 * g.OutW(), dstChannel: 4 * out, srcRow: 4 * g.W, srcChannel: 4 * in, floor: noFloor,
		rows: g.OutH(), height: g.H, top: -g.PH, zero: unsafe.Pointer(&zeros32), table: unsafe.Pointer(&depthTable),
	}
	if io.relu {
		a.floor = 0
	}
	for c := 0; c < g.C; c += d.blockC {
		n := min(d.blockC, g.C-c)
		src := io.src[c*in:][:n*in]
		if !d.plain {
			src = d.pre(io, src, c)
		}
		for _, narrow := range []bool{false, true} {
			strips := d.wide
			if narrow {
				strips = d.narrow
			}
			if len(strips) == 0 {
				continue
			}
			a.strips, a.count = unsafe.Pointer(&strips[0]), len(strips)
			careful := 0
			if d.level == avx2 {
				careful = max(carefulChannels(g.C, c, n, out, 8), carefulChannels(g.C, c, n, in, 16+g.PW))
			}
			for from, part := range [...]int{n - careful, careful} {
				if part == 0 {
					continue
				}
				at := from * (n - careful)
				a.masked, a.channels = from, part
				a.dst, a.src, a.weights, a.bias = ptr(io.dst, (c+at)*out), ptr(src, at*in), ptr(d.weights, 9*(c+at)), ptr(io.bias, c+at)
				convolveDepth(d.level, narrow, g.SH, &a)
			}
		}
	}
}

// carefulChannels returns how many of the n channels from c on, of total, must not touch so many lanes beyond a plane.
func carefulChannels(total, c, n, plane, lanes int) int {
	return min(n, max(0, c+n-total+(lanes+plane-1)/plane))
}

// pre applies the pre operation to planes, the first of channel c, in scratch.
func (d *depthwise) pre(io *planIO, src []float32, c int) []float32 {
	dst, in := alignVector(io.scratch)[:len(src)], d.g.H*d.g.W
	a := streamArgs{n: in, table: unsafe.Pointer(&laneTable), floor: io.floor}
	for i := 0; i < len(src); i += in {
		a.dst, a.a, a.s, a.t = ptr(dst, i), ptr(src, i), io.scale[c], io.shift[c]
		if d.level == avx512 {
			streamAVX512(opAffine, &a)
		} else {
			streamAVX2(opAffine, &a)
		}
		c++
	}
	return dst
}

func convolveDepth(l level, narrow bool, stride int, a *depthArgs) {
	switch {
	case l == avx2 && stride == 1:
		depthAVX2_s1(a)
	case l == avx2:
		depthAVX2_s2(a)
	case narrow && stride == 1:
		depthAVX512y_s1(a)
	case narrow:
		depthAVX512y_s2(a)
	case stride == 1:
		depthAVX512_s1(a)
	default:
		depthAVX512_s2(a)
	}
}
