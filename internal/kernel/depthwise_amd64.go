//go:build amd64 && !noasm

package kernel

import (
	"slices"
	"unsafe"
)

// depthArgs are the arguments of the depthwise kernels. Strides are in bytes.
type depthArgs struct {
	dst        unsafe.Pointer // the outputs, or their gradients where the weights' are computed
	dstRow     int
	dstChannel int
	src        unsafe.Pointer
	srcRow     int
	srcChannel int
	weights    unsafe.Pointer // [channels, 9], or the weights' gradients
	bias       unsafe.Pointer
	floor      float32
	ceil       float32 // upper bound of the outputs
	rows       int     // output rows
	height     int     // rows of the input
	top        int     // first input row that the first output row reads, negative in the padding
	channels   int     // at least 1
	strips     unsafe.Pointer
	count      int // number of strips, at least 1
	more       int // weight gradient on AVX2: number of further strips, which go to the upper half of the sixteen lanes
	zero       unsafe.Pointer
	table      unsafe.Pointer
	masked     int            // not 0: do not read beyond a row or, on AVX2, write beyond it
	saved      unsafe.Pointer // AVX2: room for nine vectors
	_          [5]int         // the kernel's own
}

// depthStrip is one vector of output columns, for all rows: its position in a row, and masks of the lanes that lie in
// the plane. There is a mask for each load and each store. With stride one, the loads are those for the three columns
// of weights. With stride two, they are two consecutive vectors, and both as one vector where these have eight lanes.
// The masks of stores start at stripStores.
type depthStrip struct {
	lanes    [6][8]int32
	src, dst int // bytes from the start of the row
	// 1: loads need no masks; 2 (AVX2, stride one): only the first and the last load need one
	plain int
	bits  [6]int
	_     [56]byte // padding to whole cache lines
}

// alignStrips drops the last strip, to let the others start at a cache line: masks across two lines take longer to
// load.
func alignStrips(s []depthStrip) []depthStrip {
	p := unsafe.Pointer(unsafe.SliceData(s))
	return unsafe.Slice((*depthStrip)(unsafe.Add(p, -uintptr(p)%64)), len(s)-1)
}

// alignedCopy returns a copy of strips that starts at a cache line.
func alignedCopy(s []depthStrip) []depthStrip {
	aligned := alignStrips(make([]depthStrip, len(s)+1))
	copy(aligned, s)
	return aligned
}

const stripStores = 4 // the first mask of the stores

// mask sets mask i to the lanes whose columns, counted from first, lie in [0, n).
func (s *depthStrip) mask(i, lanes, first, n int) {
	for lane := range lanes {
		if x := first + lane; x >= 0 && x < n {
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

// depthTable holds permutations of lanes. First, for pairs of vectors of sixteen and then of eight lanes, those that
// interleave the two halves of each. Then come the permutations for lanes in the order of VSHUFPS, which takes every
// other lane of two vectors: the one that sorts them, for sixteen and for eight lanes, the same with a shift by one
// lane, and the inverse.
var depthTable = func() (t [128]int32) {
	for i := range 16 {
		t[i], t[32+i] = int32(i/2+16*(i%2)), int32(8+i/2+16*(i%2))
	}
	for i := range 8 {
		t[16+i], t[48+i] = int32(i/2+8*(i%2)), int32(4+i/2+8*(i%2))
	}
	at := 64
	for _, before := range []int{0, 1} {
		for _, lanes := range []int{16, 8} {
			for i := range lanes {
				from := max(0, i-before)
				half := lanes / 2 // of the lanes are one of the vectors'
				t[at+i] = int32(from%half/2*4 + from/half*2 + from%2)
			}
			at += lanes
		}
	}
	for i, from := range t[64:80] {
		t[112+from] = int32(i)
	}
	return t
}()

// depthLanes returns how many of cols columns are processed in vectors of sixteen lanes. The rest is in vectors of
// eight.
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

// depthStrips returns the strips of sixteen lanes (none on AVX2) and the strips of eight lanes.
func depthStrips(l level, g ConvGeom) (wide, narrow []depthStrip) {
	cols := g.OutW()
	if g.SW == 2 {
		lanes := 0
		for x := firstDepthLane(g); x == 0 || x < cols-1; x += lanes - 1 {
			if lanes = 8; l != avx2 && cols-x > 8 {
				lanes = 16
			}
			s := strideTwoStrip(g, lanes, x)
			if lanes == 16 {
				wide = append(wide, s)
			} else {
				narrow = append(narrow, s)
			}
		}
	} else {
		n := depthLanes(l, cols)
		for x := 0; x < n; x += 16 {
			wide = append(wide, strideOneStrip(g, 16, x))
		}
		for x := n; x < cols; x += 8 {
			narrow = append(narrow, strideOneStrip(g, 8, x))
		}
	}
	// Without mask registers, the stores of the last strip reach into the next row, so that row must be written later.
	// With stride two, a strip's first lane also overwrites the last lane of the strip before it.
	slices.Reverse(narrow)
	return wide, alignedCopy(narrow)
}

// strideOneStrip returns the strip of outputs from column x on, for stride one.
func strideOneStrip(g ConvGeom, lanes, x int) depthStrip {
	first := x - g.PW
	s := depthStrip{src: 4 * first, dst: 4 * x, plain: 1}
	for t := range 3 {
		s.mask(t, lanes, first+t, g.W)
	}
	s.mask(stripStores, lanes, x, g.OutW())
	outs := min(lanes, g.OutW()-x)
	if s.plain == 0 && first+1 >= 0 && first+outs < g.W {
		s.plain = 2
	}
	return s
}

// firstDepthLane returns the column of the first lane. With stride two that lane lacks the products of the left column
// of weights, so only padding may be there.
func firstDepthLane(g ConvGeom) int {
	if g.SW == 2 && g.PW == 0 {
		return -1
	}
	return 0
}

// strideTwoStrip returns the strip of the outputs behind column x, for stride two; the plane's first strip includes x.
func strideTwoStrip(g ConvGeom, lanes, x int) depthStrip {
	first := 2*x - g.PW + 1
	s := depthStrip{src: 4 * first, dst: 4 * x}
	s.mask(0, lanes, first, g.W)
	s.mask(1, lanes, first+lanes, g.W)
	if lanes == 8 {
		s.mask(2, 16, first, g.W) // both loads as one, for two channels at once
	}
	s.mask(stripStores, lanes, x, g.OutW())
	if x != 0 {
		s.bits[stripStores] &^= 1 // with mask registers; without them the strip before overwrites the lane
	}
	// The values of lanes beyond the outputs do not matter.
	if outs := min(lanes, g.OutW()-x); first >= 0 && first+2*outs <= g.W {
		s.plain = 1
	}
	return s
}

// depthwise is a depthwise 3x3 convolution of stride one or two.
type depthwise struct {
	level   level
	g       ConvGeom
	plain   bool
	weights []float32    // [C, 3, 3]
	wide    []depthStrip // strips of sixteen lanes
	narrow  []depthStrip // strips of eight lanes
	blockC  int          // number of channels that stay in cache between the passes over them
}

// depthwiseFits reports whether the depthwise kernels support a geometry. They support at most two rows of padding.
func depthwiseFits(g ConvGeom) bool {
	return g.Groups == g.C && g.O == g.C && g.KH == 3 && g.KW == 3 && g.DH == 1 && g.DW == 1 && g.SH == g.SW &&
		g.SH <= 2 &&
		g.PH <= 2 && g.PW <= 2 && g.PH+g.EH <= 2 && g.PW+g.EW <= 2
}

// newDepthwise returns a depthwise without weights, for a geometry that fits. pack sets the weights. plain says that
// there is no pre operation.
func newDepthwise(l level, g ConvGeom, plain bool) *depthwise {
	d := &depthwise{level: l, g: g, plain: plain}
	d.wide, d.narrow = depthStrips(l, g)
	d.blockC = min(g.C, onesLen, max(1, depthCache/4/(g.H*g.W)))
	return d
}

func (d *depthwise) pack(s weightSource) { d.weights = packDepth(d.weights, d.g.C, s, depthOrder) }

// depthOrder is the order of taps that most depthwise kernels need.
var depthOrder = []int{0, 1, 2, 3, 4, 5, 6, 7, 8}

func (d *depthwise) ceils() bool { return true }

func (d *depthwise) scratchLen() int {
	n := d.g.OutLen()
	if !d.plain {
		n += d.blockC * d.g.H * d.g.W
	}
	if d.aside() {
		n += d.blockC*d.asideLen() + slackLanes
	}
	return n + slackLanes
}

// aside tells whether outputs are first written to scratch, where every row has a free lane in front of it. Without
// mask registers, stores that leave out a lane are slow.
func (d *depthwise) aside() bool { return d.level == avx2 && firstDepthLane(d.g) < 0 }

func (d *depthwise) asideLen() int { return d.g.OutH() * (d.g.OutW() + 1) }

// run computes one image; see planIO.
func (d *depthwise) run(image planIO) { runDepth(image, d.g, d, span{0, d.g.C}) }

// convolve is run without residual and accumulation, for some channels.
func (d *depthwise) convolve(image planIO, channels span) {
	io := &image
	g := d.g
	in, out := g.H*g.W, g.OutH()*g.OutW()
	a := depthArgs{
		dstRow: 4 * g.OutW(), dstChannel: 4 * out, srcRow: 4 * g.W, srcChannel: 4 * in, floor: noFloor, ceil: io.ceil,
		rows: g.OutH(), height: g.H, top: -g.PH, zero: unsafe.Pointer(&zeros32), table: unsafe.Pointer(&depthTable),
	}
	if io.relu {
		a.floor = 0
	}
	var aside []float32
	if d.aside() {
		aside = io.scratch[d.scratchLen()-d.g.OutLen()-d.blockC*d.asideLen()-slackLanes:]
		a.dstRow, a.dstChannel = 4*(g.OutW()+1), 4*d.asideLen()
	}
	for c := channels.lo; c < channels.hi; c += d.blockC {
		n := min(d.blockC, channels.hi-c)
		src := io.src[c*in:][:n*in]
		if !d.plain {
			src = d.pre(io, src, c)
		}
		careful := d.careful(c, n, channels.hi)
		for _, narrow := range []bool{false, true} {
			strips := d.wide
			if narrow {
				strips = d.narrow
			}
			if len(strips) == 0 {
				continue
			}
			a.strips, a.count = unsafe.Pointer(&strips[0]), len(strips)
			for from, part := range [...]int{n - careful, careful} {
				if part == 0 {
					continue
				}
				at := from * (n - careful)
				a.masked, a.channels = from, part
				a.dst, a.src, a.weights, a.bias = ptr(io.dst, (c+at)*out), ptr(src, at*in), ptr(d.weights, 9*(c+at)),
					ptr(io.bias, c+at)
				if aside != nil {
					a.dst = ptr(aside, at*d.asideLen()+1)
				}
				convolveDepth(d.level, narrow, g.SH, &a)
			}
		}
		if aside != nil {
			d.bringBack(io, aside, c, n, channels.hi)
		}
		io.activate(c*out, n*out)
	}
}

// bringBack copies the outputs of the n channels from c on from where convolve has put them aside.
func (d *depthwise) bringBack(io *planIO, aside []float32, c, n, end int) {
	g := d.g
	rows, cols := g.OutH(), g.OutW()
	out := rows * cols
	careful := carefulChannels(end, c, n, out, 8)
	if careful < n {
		copyRows(avx2, 1, &rowsArgs{
			dst: ptr(io.dst, c*out), dstStride: 4 * cols, src: ptr(aside, 1), srcStride: 4 * (cols + 1), rows: rows,
			valid: cols,
			scale: ptr(ones32[:], 0), shift: ptr(zeros32[:], 0), floor: noFloor, table: unsafe.Pointer(&laneTable),
			channels: n - careful, dstChannel: 4 * out, srcChannel: 4 * d.asideLen(),
		})
	}
	for i := n - careful; i < n; i++ {
		for y := range rows {
			copy(io.dst[(c+i)*out+y*cols:][:cols], aside[i*d.asideLen()+y*(cols+1)+1:])
		}
	}
}

// careful returns how many of the n channels from c on must not be read, or written without mask registers, beyond a
// plane, where the channels from end on belong to somebody else.
func (d *depthwise) careful(c, n, end int) int {
	g := d.g
	in, out := g.H*g.W, g.OutH()*g.OutW()
	switch {
	case firstDepthLane(g) < 0 && !d.aside():
		return n // the first lane lies in front of the row
	case d.level == avx2:
		return max(carefulChannels(end, c, n, out, 8), carefulChannels(end, c, n, in, 16+g.PW))
	case g.SW == 2: // no vector of sixteen outputs has less than nine
		return carefulChannels(end, c, n, in, 16+g.PW)
	}
	return 0
}

// pre applies the pre operation to planes, the first of which is channel c, and returns the result in scratch.
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
		convolvePairs(a)
	case stride == 1:
		depthAVX512_s1(a)
	default:
		depthAVX512_s2(a)
	}
}

// convolvePairs runs strips of eight lanes with stride two, two channels at a time, which takes fewer instructions.
func convolvePairs(a *depthArgs) {
	one, n := *a, a.channels&^1
	if n > 0 {
		a.channels = n
		depthAVX512pair_s2(a)
	}
	if n < one.channels {
		one.channels = 1
		one.dst, one.src = unsafe.Add(one.dst, n*one.dstChannel), unsafe.Add(one.src, n*one.srcChannel)
		one.weights, one.bias = unsafe.Add(one.weights, 36*n), unsafe.Add(one.bias, 4*n)
		depthAVX512y_s2(&one)
	}
}
