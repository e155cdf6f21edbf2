//go:build (amd64 || arm64) && !noasm

package kernel

import (
	"slices"
	"unsafe"
)

// stacked runs a plan with few output pixels for several images together. Maps that small have many weights. These are
// read once for all images, and the columns of several images, side by side, fill vectors of which one image would
// leave lanes idle.
//
// The elements that the taps of a block of channels read are copied to rows, one for each (channel, tap), of [image,
// pixel]. From there they are copied to panels.
type stacked struct {
	*plan         // holds the weights, and runs a single image
	alone  engine // runs a single image: the plan, or an engine that uses it
	g      ConvGeom
	taps   []tap
	most   int // the most images together
	pixels int // pixels of an output map
	rows   int // rows of a block
	stride int // elements from row to row
	inRun  int // row tiles in a run
	// For each row of a block: its factor, its addend, and its offset in a panel in bytes.
	ones, zeros []float32
	offsets     []int32
}

const (
	stackedPixels = 64 // the most pixels of an output map
	stackedImages = 8  // the most images together
	stackedColumn = 256
	stackedRows   = 64 // number of output channels from which copying the input pays off
)

// newStacked returns an engine for a geometry that fits, nil for others. alone runs single images.
func newStacked(alone engine, g ConvGeom) engine {
	s := &stacked{alone: alone, g: g, pixels: g.OutH() * g.OutW()}
	switch e := alone.(type) {
	case *plan:
		s.plan = e
	case *thinned:
		s.plan = &e.plan
	default:
		return nil
	}
	if s.most = min(stackedImages, stackedColumn/s.pixels); g.Groups > 1 || s.pixels > stackedPixels ||
		g.O < stackedRows {
		return nil
	}
	for kh := range g.KH {
		for kw := range g.KW {
			s.taps = append(s.taps, tap{kh*g.DH - g.PH, kw*g.DW - g.PW})
		}
	}
	// The distance of rows is an odd number of cache lines, so that they fall into different sets of the cache. Kernels
	// may write a row and a vector behind a map.
	s.stride = ((s.most*s.pixels+g.OutW()+2*slackLanes)/16 | 1) * 16
	s.rows = s.blockC * len(s.taps)
	s.ones, s.zeros = slices.Repeat([]float32{1}, s.rows), make([]float32, s.rows)
	for i := range s.rows {
		s.offsets = append(s.offsets, int32(8*s.lanes*i))
	}
	s.inRun = max(1, weightCache/(4*s.plan.tiles[0]*s.rows))
	return s
}

func (s *stacked) together() int { return s.most }

func (s *stacked) pack(w weightSource) { s.alone.pack(w) }

func (s *stacked) run(image planIO) { s.alone.run(image) }

// crossing is the size of a buffer for a tile whose columns belong to two images.
const crossing = 12 * 32

func (s *stacked) scratchLen() int {
	columns := (s.most*s.pixels + 2*s.lanes - 1) / (2 * s.lanes) * 2 * s.lanes
	return max(s.alone.scratchLen(), s.rows*(s.stride+columns)+2*crossing+3*slackLanes)
}

// several computes n images; see planIO.
func (s *stacked) several(image planIO, n int) {
	io := &image
	scratch := alignVector(io.scratch)
	for c0 := 0; c0 < s.c; c0 += s.blockC {
		channels := min(s.blockC, s.c-c0)
		x, panels := scratch[2*crossing:], scratch[2*crossing+s.rows*s.stride+slackLanes:]
		for i := range n {
			s.fill(x[i*s.pixels:], io, i, c0, channels)
		}
		s.panels(panels, x, n*s.pixels, channels*len(s.taps))
		s.multiply(io, panels, scratch[:2*crossing], c0, channels, n)
	}
	for i := range n {
		if io.act.Kind != ActIdentity {
			out := io.dst[i*io.dstStride:][:s.g.OutLen()]
			Activate(out, out, io.act)
		}
	}
}

// fill copies the elements of image i that the taps of some channels read.
func (s *stacked) fill(x []float32, io *planIO, i, first, channels int) {
	g := s.g
	f := viewFill{
		level: s.level, h: g.H, w: g.W, sh: g.SH, sw: g.SW, pitch: g.OutW(), channel: len(s.taps) * s.stride,
		channels: channels,
		src:      io.src[i*io.srcStride+first*g.H*g.W:], scale: io.scale[first:], shift: io.shift[first:],
		floor: io.floor,
	}
	v := view{rows: g.OutH(), cols: g.OutW()}
	if s.panel && s.alone == engine(s.plan) { // the whole map
		f.h, f.w, f.pitch, v.rows, v.cols = 1, g.H*g.W, s.pixels, 1, s.pixels
	}
	for t, tap := range s.taps {
		v.dy, v.dx = tap.dy, tap.dx
		f.fill(x[t*s.stride:], v, 0)
	}
}

// panels copies the k rows to panels, one for every column tile.
func (s *stacked) panels(panels, x []float32, cols, k int) {
	width := 2 * s.lanes
	a := panelArgs{stride: 4 * s.stride, k: k, scale: ptr(s.ones, 0), shift: ptr(s.zeros, 0), floor: noFloor,
		table: unsafe.Pointer(&laneTable)}
	for at := 0; at < cols; at += width {
		a.dst, a.src, a.cols = ptr(panels, at*k), ptr(x, at), cols-at
		packPanel(s.plan.level, &a)
	}
}

// multiply adds the terms of some channels to the outputs of n images. The panels of a block stay in the L1 cache, the
// weights of a run of row tiles in the L2 cache.
func (s *stacked) multiply(io *planIO, panels, tile []float32, c0, channels, n int) {
	t := s.prepare(io, c0, channels)
	t.off, t.b1 = unsafe.Pointer(&s.offsets[0]), 4*s.lanes
	cols, width := n*s.pixels, 2*s.lanes
	block := s.weights[s.m*c0*len(s.taps):][:s.m*t.k]
	first := 0
	for run := 0; run < len(s.tiles); run += s.inRun {
		tiles, next := s.tiles[run:min(run+s.inRun, len(s.tiles))], 0
		for at := 0; at < cols; at += width {
			t.b, next = ptr(panels, at*t.k), first
			for _, rows := range tiles {
				t.a = ptr(block, next*t.k)
				s.outputs(io, &t, tile, next, rows, at, min(width, cols-at), c0+channels == s.c)
				next += rows
			}
		}
		first = next
	}
}

// outputs computes the outputs of rows rows from row on, in wide columns from at on.
func (s *stacked) outputs(io *planIO, t *tileArgs, tile []float32, row, rows, at, wide int, final bool) {
	if final {
		t.bias = ptr(io.bias, row)
	}
	residual := final && io.residual != nil
	if i, from := at/s.pixels, at%s.pixels; from+wide <= s.pixels {
		t.ldc, t.c, t.res = 4*s.pixels, ptr(io.dst, i*io.dstStride+row*s.pixels+from), nil
		if residual {
			t.res = ptr(io.residual, i*io.residualStride+row*s.pixels+from)
		}
		s.tile(t, rows, wide)
		return
	}
	sum, add := tile[:crossing], tile[crossing:]
	t.ldc, t.c, t.res = 8*s.lanes, ptr(sum, 0), nil
	if t.flags&tileResume != 0 {
		s.gatherTile(sum, io.dst, io.dstStride, row, rows, at, wide)
	}
	if residual {
		s.gatherTile(add, io.residual, io.residualStride, row, rows, at, wide)
		t.res = ptr(add, 0)
	}
	s.tile(t, rows, wide)
	s.eachPart(at, wide, func(image, from, to, n int) {
		for r := range rows {
			copy(io.dst[image*io.dstStride+(row+r)*s.pixels+from:][:n], sum[r*2*s.lanes+to:])
		}
	})
}

// tile runs the register tile of the given number of rows and of wide columns.
func (s *stacked) tile(t *tileArgs, rows, wide int) {
	vecs := 2
	if wide <= s.lanes {
		vecs = 1
	}
	t.mask = 0
	if wide < vecs*s.lanes {
		t.mask = tileMask(s.plan.level, wide)
	}
	panelTile(s.plan.level, rows, vecs, t, false)
}

// gatherTile copies the columns [at, at+wide), counted over all images side by side, to a tile.
func (s *stacked) gatherTile(tile, src []float32, stride, row, rows, at, wide int) {
	s.eachPart(at, wide, func(image, from, to, n int) {
		for r := range rows {
			copy(tile[r*2*s.lanes+to:][:n], src[image*stride+(row+r)*s.pixels+from:])
		}
	})
}

// eachPart calls visit for each image that has some of the wide columns from at on: n pixels from pixel from on, which
// are the columns from to on of the tile.
func (s *stacked) eachPart(at, wide int, visit func(image, from, to, n int)) {
	for to := 0; to < wide; {
		image, from := (at+to)/s.pixels, (at+to)%s.pixels
		n := min(s.pixels-from, wide-to)
		visit(image, from, to, n)
		to += n
	}
}
