//go:build (amd64 || arm64) && !noasm

package kernel

import "slices"

// tap is the position of one weight in the window: output (y, x) reads input (y*sh+dy, x*sw+dx).
type tap struct{ dy, dx int }

// planGeom describes a grouped correlation with any taps. Input outside of [h, w] is zero.
type planGeom struct {
	groups, c, m int // c input and m output channels per group
	h, w, oh, ow int
	sh, sw       int
	taps         []tap
}

// plan computes a correlation on register tiles. Weights are packed as [group][block][row tile][k][rows of the tile],
// where k counts the (channel, tap) of a block of input channels.
//
// The input is first rearranged: the pre operation is applied and zeros are added, and the tile finds the vector of
// output columns of every tap in contiguous memory. For a pointwise convolution this is a panel [k][columns] for one
// column tile, otherwise a set of views of a strip of rows, see layout.
type plan struct {
	planGeom
	level   level
	lanes   int   // lanes of a vector
	tiles   []int // number of rows of each row tile
	blockC  int   // channels in a block
	weights []float32
	offsets []int32 // offset in the rearranged input of each k of a block, in bytes
	layout
	// gathered says that the elements of the views that a column tile reads are first copied to a panel, from the
	// offsets in offsets; the tile then reads them at gatheredOffsets. Many row tiles share the panel, and it takes
	// half the room of the views in AVX2's small L1 cache.
	gathered        bool
	gatheredOffsets []int32
	// Row tiles are processed in runs whose weights stay in cache, for all column tiles that are packed together.
	tilesInRun, columnsTogether int
}

const (
	blockTaps      = 384       // terms summed before an output is stored and read again
	blockTapsAVX2  = 256       // the same for views on AVX2, where two row tiles should find them in the L1 cache
	weightCache    = 192 << 10 // bytes of weights that stay in cache beside the rearranged input
	rearrangeCache = 256 << 10 // bytes of rearranged input at a time
	gatherTiles    = 12        // number of row tiles from which gathering into a panel pays off
	slackLanes     = 64        // lanes behind the rearranged input that kernels may touch
)

// newPlan returns a plan without weights. pack sets the weights.
func newPlan(l level, g planGeom) *plan {
	p := &plan{planGeom: g, level: l}
	most := 0
	p.lanes, most = l.tileShape()
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
	// Gathering does not pay off for tiles in several runs or for vectors that follow rows.
	if p.gathered = l == avx2 && !p.panel && !p.byRow && len(p.tiles) >= gatherTiles &&
		p.tilesInRun == len(p.tiles); p.gathered {
		for i := range p.offsets {
			p.gatheredOffsets = append(p.gatheredOffsets, int32(4*2*p.lanes*i))
		}
	}
	return p
}

// weightSource says where the weights of a convolution are: that of tap t between output channel m and input channel c
// of a group is w[group*byGroup + m*byOut + c*byIn + tap[t]], times scale[group*outs+m] unless scale is nil.
type weightSource struct {
	w                    []float32
	byGroup, byOut, byIn int
	tap                  []int
	scale                []float32
}

// pack arranges the weights in the order in which the tiles read them. It reuses the memory of the packing before, if
// any.
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

// splitRows divides m rows into tiles of nearly equal height, of at most most rows, higher tiles first.
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

// evenBlock returns the size, at most most, of nearly equal blocks that cover n.
func evenBlock(n, most int) int {
	blocks := (n + most - 1) / most
	return (n + blocks - 1) / blocks
}

// layout says where the rearranged input of a channel holds the elements that each tap reads.
type layout struct {
	panel bool // pointwise: no views
	// half says that rows of the views have an odd number of half vectors.
	half    bool
	byRow   bool // vectors follow the output rows at pitch; otherwise views are dense and vectors may span rows
	views   []view
	tapView []int // for each tap, its view
	tapRow  []int // for each tap, its row in the view
	tapCol  []int // for each tap, its column in the view
	pitch   int   // elements from row to row of a view
	channel int   // elements of one channel
	strip   int   // output rows of a strip
}

// chooseLayout chooses between the panel, views with padded rows (cheapest to write) and views with dense rows (a copy
// for each column offset, but no lane idle).
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
	// So far rows are offsets; a strip of n output rows needs n more.
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
		l.channel += (v.rows+1)*l.pitch + p.lanes // the kernels that copy rows may write behind the last row
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

// scratchLen returns the number of elements of scratch that run needs.
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
