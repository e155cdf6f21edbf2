//go:build amd64 && !noasm

package kernel

import "slices"

// tap is one weight's place in the window: output (y, x) reads input (y*sh+dy, x*sw+dx).
type tap struct{ dy, dx int }

// planGeom describes a grouped correlation with arbitrary taps; input outside of [h, w] is zero.
type planGeom struct {
	groups, c, m int // c input and m output channels for each group
	h, w, oh, ow int
	sh, sw       int
	taps         []tap
}

// plan runs a correlation on register tiles. Weights are packed as [group][block][row tile][k][rows of the tile], where
// k runs over (channel, tap) of a block of input channels.
//
// The input is first rearranged, pre operation applied and zeros added, so that the tile finds every tap's vector of
// output columns in contiguous memory: a panel [k][columns] of one tile for a pointwise convolution, otherwise a set of
// views of a strip of rows, see layout.
type plan struct {
	planGeom
	level   level
	lanes   int   // of a vector
	tiles   []int // rows of each row tile
	blockC  int   // channels in a block
	weights []float32
	offsets []int32 // bytes into the rearranged input for each k of a block
	layout
	// gathered says that what a column tile reads of the views is copied to a panel first, at offsets gatheredOffsets:
	// many row tiles share it, and in AVX2's small L1 it would take twice the room.
	gathered        bool
	gatheredOffsets []int32
	// Row tiles are visited in runs whose weights stay in cache, over all column tiles packed together.
	tilesInRun, columnsTogether int
}

const (
	blockTaps      = 384       // terms summed between two visits of an output
	blockTapsAVX2  = 256       // the same for views on AVX2, whose two tiles of rows should find them in L1
	weightCache    = 192 << 10 // bytes of weights that stay in cache beside the rearranged input
	rearrangeCache = 256 << 10 // bytes of rearranged input wanted at a time
	gatherTiles    = 12        // row tiles from which a panel pays
	slackLanes     = 64        // lanes that kernels may touch beyond the rearranged input
)

// newPlan lays out a plan; pack gives it weights.
func newPlan(l level, g planGeom) *plan {
	p := &plan{planGeom: g, level: l, lanes: 8}
	most := 6
	if l == avx512 {
		p.lanes, most = 16, 12
	}
	p.tiles = splitRows(g.m, most)
	terms := blockTaps
	if l == avx2 && len(g.taps) > 1 {
		terms = blockTapsAVX2
	}
	p.blockC = evenBlock(g.c, max(1, terms/len(g.taps)))
	p.layout = p.chooseLayout()
	p.offsets = p.blockOffsets()
	p.tilesInRun, p.columnsTogether = len(p.tiles), 1
	if perTile := 4 * p.tiles[0] * p.blockC * len(g.taps); perTile*len(p.tiles) > weightCache {
		p.tilesInRun = max(1, weightCache/2/perTile)
		p.columnsTogether = max(1, rearrangeCache/(4*2*p.lanes*p.blockC))
	}
	// What splits into runs or follows rows gains nothing.
	if p.gathered = l == avx2 && !p.panel && !p.byRow && len(p.tiles) >= gatherTiles &&
		p.tilesInRun == len(p.tiles); p.gathered {
		for i := range p.offsets {
			p.gatheredOffsets = append(p.gatheredOffsets, int32(4*2*p.lanes*i))
		}
	}
	return p
}

// weightSource says where to find the weights of a convolution: w[group*byGroup + m*byOut + c*byIn + tap[t]] for output
// channel m and input channel c of a group, times scale[group*outs+m] where there is one.
type weightSource struct {
	w                    []float32
	byGroup, byOut, byIn int
	tap                  []int
	scale                []float32
}

// pack orders the weights as the tiles read them, in the memory of the last packing where there was one.
func (p *plan) pack(s weightSource) {
	if p.weights == nil {
		p.weights = packedMemory(p.groups * p.m * p.c * len(p.taps))
	}
	out := p.weights
	for group := range p.groups {
		for c0 := 0; c0 < p.c; c0 += p.blockC {
			row := 0
			for _, n := range p.tiles {
				for c := c0; c < min(c0+p.blockC, p.c); c++ {
					for _, at := range s.tap {
						from := s.w[group*s.byGroup+row*s.byOut+c*s.byIn+at:]
						for i := range out[:n] {
							out[i] = from[i*s.byOut]
						}
						if s.scale != nil {
							for i, v := range s.scale[group*p.m+row:][:n] {
								out[i] *= v
							}
						}
						out = out[n:]
					}
				}
				row += n
			}
		}
	}
}

// splitRows cuts m rows into tiles of nearly equal height, at most most each, the higher ones first.
func splitRows(m, most int) []int {
	n := (m + most - 1) / most
	tiles := make([]int, n)
	for i := range tiles {
		tiles[i] = m / n
		if i < m%n {
			tiles[i]++
		}
	}
	return tiles
}

// evenBlock returns the size of nearly equal blocks of at most most that cover n.
func evenBlock(n, most int) int {
	blocks := (n + most - 1) / most
	return (n + blocks - 1) / blocks
}

// layout says where the rearranged input of a channel holds what each tap reads.
type layout struct {
	panel bool // pointwise: no views
	// half marks views whose rows hold an odd number of half vectors.
	half    bool
	byRow   bool // vectors follow the output rows at pitch; otherwise views are dense and vectors may span rows
	views   []view
	tapView []int // view of each tap
	tapRow  []int // row offset of each tap in its view
	tapCol  []int // column offset of each tap in its view
	pitch   int   // elements from row to row of a view
	channel int   // elements of one channel
	strip   int   // output rows of a strip
}

// chooseLayout picks between the panel, padded rows, which are cheapest to write, and dense rows, one copy for each
// column offset, which leave no lane idle.
func (p *plan) chooseLayout() layout {
	var l layout
	if len(p.taps) == 1 && p.taps[0] == (tap{}) && p.sh == 1 && p.sw == 1 && p.h == p.oh && p.w == p.ow {
		l.panel, l.strip = true, p.oh
		return l
	}
	l.byRow = p.ow%(p.lanes) == 0
	if !l.byRow && p.level == avx512 && p.ow%(p.lanes/2) == 0 {
		l.byRow, l.half = true, true
	}
	dyMin, dxMin := p.taps[0].dy, p.taps[0].dx
	for _, t := range p.taps {
		dyMin, dxMin = min(dyMin, t.dy), min(dxMin, t.dx)
	}
	l.tapView, l.tapRow, l.tapCol = make([]int, len(p.taps)), make([]int, len(p.taps)), make([]int, len(p.taps))
	for i, t := range p.taps {
		v := view{dy: dyMin + (t.dy-dyMin)%p.sh, dx: t.dx}
		l.tapRow[i] = (t.dy - v.dy) / p.sh
		if l.byRow {
			v.dx = dxMin + (t.dx-dxMin)%p.sw
			l.tapCol[i] = (t.dx - v.dx) / p.sw
		}
		at := slices.IndexFunc(l.views, func(o view) bool { return o.dy == v.dy && o.dx == v.dx })
		if at < 0 {
			at = len(l.views)
			l.views = append(l.views, v)
		}
		l.tapView[i] = at
		l.views[at].rows = max(l.views[at].rows, l.tapRow[i])
		l.pitch = max(l.pitch, p.ow+l.tapCol[i])
	}
	// Rows above are offsets so far; a strip of n output rows has n rows more.
	perRow, extra := 0, 0
	for _, v := range l.views {
		perRow += l.pitch
		extra += (v.rows+1)*l.pitch + p.lanes
	}
	fit := (rearrangeCache/4/p.blockC - extra) / perRow
	strips := (p.oh + max(fit, 1) - 1) / max(fit, 1)
	l.strip = (p.oh + strips - 1) / strips
	for i := range l.views {
		v := &l.views[i]
		v.at, v.cols = l.channel, l.pitch
		v.rows += l.strip
		l.channel += (v.rows+1)*l.pitch + p.lanes // the row copiers may write beyond the last row
	}
	return l
}

func (p *plan) blockOffsets() []int32 {
	off := make([]int32, 0, p.blockC*len(p.taps))
	for c := range p.blockC {
		if p.panel {
			off = append(off, int32(4*c*2*p.lanes))
			continue
		}
		for i, v := range p.tapView {
			off = append(off, int32(4*(c*p.channel+p.views[v].at+p.tapRow[i]*p.pitch+p.tapCol[i])))
		}
	}
	return off
}

func (p *plan) ceils() bool { return true }

// scratchLen returns how many elements of scratch run needs.
func (p *plan) scratchLen() int {
	if p.panel {
		columns := (p.oh*p.ow + 2*p.lanes - 1) / (2 * p.lanes)
		return min(columns, max(2, p.columnsTogether))*p.blockC*2*p.lanes + slackLanes
	}
	n := p.blockC*p.channel + 2*p.pitch + slackLanes
	if p.gathered {
		n += 2*p.lanes*len(p.offsets) + slackLanes
	}
	return n
}
