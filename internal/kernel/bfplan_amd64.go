//go:build amd64 && !noasm

package kernel

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// bfPlan runs a convolution in bfloat16 on tiles of AMX or of AVX512_BF16.
//
// Two neighbouring channels make a pair: one word of 32 bits for each pixel. The input is first rounded and joined to
// pairs. For a pointwise convolution these go into panels [16 columns of outputs][pair]. Otherwise they go into planes
// of some rows that are laid out like the outputs: one plane for each column of the kernel and, with strides, for each
// phase of its rows. So the pairs that a tap reads are rows of words, one plane apart from pair to pair.
type bfPlan struct {
	g           ConvGeom
	level       bfLevel
	c, m, pairs int // input channels, output channels and pairs of a group
	blocks      []bfBlock
	whole       int // number of full blocks, of bfPairsInBlock pairs, which come first
	tiles       []int
	weights     []uint32 // [group][tile][block], then AMX [row][16 pairs], AVX512_BF16 [pair][row]
	offsets     []int32  // offset of each block in the rearranged input, in bytes
	config      [64]byte // configuration of the AMX tiles
	pointwise   bool
	columns     int // number of columns packed together, if pointwise
	bfViews
}

// bfViews is the layout of a group's rearranged input: where it holds the elements that each tap reads. Units are
// words.
type bfViews struct {
	strip   int // output rows computed at a time
	rows    int // input rows that these read
	plane   int // distance from pair to pair
	dense   int // start of the joined input rows themselves
	views   []bfView
	tapView []int
	tapRow  []int // for each tap, the rows of its view above the first that it reads
	// The views that are copied together: shifted by one column to the left and by one to the right, or -1.
	left, right int
	words       int // total size
}

// bfView holds the planes of the input rows of one phase, shifted for one column of the kernel.
type bfView struct {
	phase, column int
	at            int
	rows          int
	shift         int
	masks         []uint16 // for each vector, which words of the shifted dense planes to keep
	table         []int32  // or the position of each word in the dense planes, negative for padding
}

const (
	bfPanelWords = 10 << 10 // size of a panel with its weights: most of the L1 cache
	bfViewWords  = 96 << 10 // size of all views, which stay in the L2 cache
	bfSlack      = 64
	amxRows      = 16
)

// newBFPlan returns a plan without weights, nil where the portable code is to run.
func newBFPlan(l bfLevel, g ConvGeom) bfEngine {
	if l == bfPortable {
		return nil
	}
	p := &bfPlan{g: g, level: l, c: g.C / g.Groups, m: g.O / g.Groups}
	p.pairs = (p.c + 1) / 2
	p.blocks = bfBlocks(p.pairs, g.KH*g.KW)
	p.whole = p.pairs / bfPairsInBlock * g.KH * g.KW
	if l == bfAMX {
		n := (p.m + amxRows - 1) / amxRows
		p.tiles = slices.Repeat([]int{((p.m+n-1)/n + 1) / 2 * 2}, n) // even, so that no pair of rows is torn
		p.configure()
	} else {
		p.tiles = splitRows(p.m, 12)
	}
	p.pointwise = g.KH*g.KW*g.SH*g.SW == 1 && g.OutH() == g.H && g.OutW() == g.W && g.PH == 0 && g.PW == 0
	if p.pointwise {
		p.columns = p.panelColumns()
		for _, b := range p.blocks {
			p.offsets = append(p.offsets, int32(64*b.first))
		}
		return p
	}
	p.bfViews = p.chooseViews()
	for _, b := range p.blocks {
		p.offsets = append(p.offsets, int32(4*(p.views[p.tapView[b.tap]].at+p.tapRow[b.tap]*g.OutW()+b.first*p.plane)))
	}
	return p
}

// configure writes the shapes of the AMX tiles: four for sums, two for full blocks, two for partial blocks.
func (p *bfPlan) configure() {
	p.config[0] = 1
	set := func(tile, rows, words int) {
		binary.LittleEndian.PutUint16(p.config[16+2*tile:], uint16(4*words))
		p.config[48+tile] = byte(rows)
	}
	high := p.tiles[0]
	for tile := range 4 {
		set(tile, high, 16)
	}
	set(4, high, bfPairsInBlock)
	set(5, bfPairsInBlock, 16)
	if tail := p.pairs % bfPairsInBlock; tail > 0 {
		set(6, high, tail)
		set(7, tail, 16)
	}
}

// pack arranges the weights in the order in which the tiles read them, with zeros where a pair or a tile has fewer
// channels.
func (p *bfPlan) pack(w []float32) {
	if p.weights == nil {
		rows := 0
		for _, high := range p.tiles {
			rows += high
		}
		p.weights = alignWords(make([]uint32, p.g.Groups*p.tileWords(rows)+16))
	}
	out := p.weights
	taps := p.g.KH * p.g.KW
	for group := range p.g.Groups {
		row := 0
		for _, high := range p.tiles {
			for _, b := range p.blocks {
				word := func(r, pair int) uint32 {
					var v uint32
					if row+r < p.m {
						from := w[((group*p.m+row+r)*p.c+2*pair)*taps+b.tap:]
						v = uint32(toBFloat16(from[0]))
						if 2*pair+1 < p.c {
							v |= uint32(toBFloat16(from[taps])) << 16
						}
					}
					return v
				}
				if p.level == bfAMX {
					for i := range high {
						for j := range b.n {
							out[i*bfPairsInBlock+j] = word(i, b.first+j)
						}
					}
					out = out[high*bfPairsInBlock:]
					continue
				}
				for i := range high * b.n {
					out[i] = word(i%high, b.first+i/high)
				}
				out = out[high*b.n:]
			}
			row += high
		}
	}
}

// tileWords returns the number of words of weights that one tile of the given number of rows reads.
func (p *bfPlan) tileWords(rows int) int {
	if p.level == bfAMX { // every block takes the room of a full one, so that no row crosses a cache line
		return rows * bfPairsInBlock * len(p.blocks)
	}
	return rows * p.pairs * p.g.KH * p.g.KW
}

// alignWords drops words so that the slice starts at a cache line.
func alignWords(s []uint32) []uint32 {
	return s[-uintptr(unsafe.Pointer(unsafe.SliceData(s)))%64/4:]
}

// panelColumns returns the number of columns to pack together: as many as stay in the L1 cache with the weights that
// are multiplied with them, if these weights fit at all.
func (p *bfPlan) panelColumns() int {
	weights := p.tileWords(p.tiles[0]) * min(3, len(p.tiles))
	if weights > bfPanelWords*3/4 {
		return 64
	}
	return min(max(16, (bfPanelWords-weights)/p.pairs&^15), 256)
}

// chooseViews returns the layout for as many output rows at a time as fit the cache.
func (p *bfPlan) chooseViews() bfViews {
	oh, rows := p.g.OutH(), p.g.OutH()
	for {
		v := p.viewsOf(rows)
		if v.words <= bfViewWords || rows == 1 {
			n := (oh + rows - 1) / rows
			return p.viewsOf((oh + n - 1) / n)
		}
		rows = (rows + 1) / 2
	}
}

// viewsOf returns the layout for strips of the given number of output rows.
func (p *bfPlan) viewsOf(strip int) bfViews {
	g, ow := p.g, p.g.OutW()
	l := bfViews{strip: strip, rows: (strip-1)*g.SH + (g.KH-1)*g.DH + 1}
	most := 0
	for tap := range g.KH * g.KW {
		v := bfView{phase: tap / g.KW * g.DH % g.SH, column: tap % g.KW}
		at := slices.IndexFunc(l.views, func(o bfView) bool { return o.phase == v.phase && o.column == v.column })
		if at < 0 {
			at = len(l.views)
			l.views = append(l.views, v)
		}
		row := tap / g.KW * g.DH / g.SH
		l.tapView, l.tapRow = append(l.tapView, at), append(l.tapRow, row)
		l.views[at].rows = max(l.views[at].rows, strip+row)
		most = max(most, l.views[at].rows)
	}
	// The distance of planes is an odd number of cache lines, so that they do not all fall into a few sets of the
	// cache.
	l.plane = (max(most*ow, l.rows*g.W)+bfSlack)/16*16 | 16
	l.dense = (g.PW + 15) / 16 * 16
	l.words = l.dense + p.pairs*l.plane
	straight := g.SH == 1 && g.SW == 1 && ow == g.W
	for i := range l.views {
		v := &l.views[i]
		if v.shift = v.column*g.DW - g.PW; straight && v.shift == 0 {
			v.at = l.dense
			continue
		}
		v.at = l.words
		l.words += p.pairs * l.plane
		vectors := (v.rows*ow + 15) / 16
		if straight {
			v.masks = make([]uint16, vectors)
		} else {
			v.table = slices.Repeat([]int32{-1}, 16*vectors)
		}
		for q := range v.rows * ow {
			row, col := v.phase+q/ow*g.SH, q%ow*g.SW+v.shift
			switch {
			case col < 0 || col >= g.W || row >= l.rows:
			case straight:
				v.masks[q/16] |= 1 << (q % 16)
			default:
				v.table[q] = int32(row*g.W + col)
			}
		}
	}
	l.words += bfSlack
	sides := func(shift int) int {
		return slices.IndexFunc(l.views, func(v bfView) bool { return v.masks != nil && v.shift == shift })
	}
	if l.left, l.right = sides(-1), sides(1); l.left < 0 || l.right < 0 ||
		l.views[l.left].rows != l.views[l.right].rows {
		l.left, l.right = -1, -1
	}
	return l
}

func (p *bfPlan) scratchLen() int {
	if p.pointwise {
		return p.columns*p.pairs + 2*bfSlack
	}
	return p.words + bfSlack
}
