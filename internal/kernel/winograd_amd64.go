//go:build amd64 && !noasm

package kernel

import "unsafe"

// Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, arXiv 1509.09308) computes 2x2 outputs of a 3x3 convolution
// of stride one from a 4x4 input tile. It takes 16 products per pair of channels instead of 36:
//	Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) summed over input channels ] A.
// The sums over channels are sixteen matrix products, one for each place in the tile, which run on the register tiles.
//
// Rounding: the transforms add up to four inputs and then up to nine products. So the error of an output is bounded by
// that of the direct sum with every |w|·|x| replaced by the sum of |U|·|V| over the tile, which is a small multiple of
// it.

type winoInArgs struct {
	src         unsafe.Pointer // the first row of the tile's outputs, in the first channel
	srcChannel  int            // bytes
	srcRow      int            // bytes
	dst         unsafe.Pointer
	dstPlace    int // bytes from one of the sixteen places to the next
	dstChannel  int // bytes
	channels    int
	top, bottom int // lanes of the two loads of the first and of the last row of the tile that lie in the image
	table       unsafe.Pointer
}

type winoOutArgs struct {
	src        unsafe.Pointer
	srcPlace   int // bytes
	srcChannel int // bytes
	dst        unsafe.Pointer
	dstChannel int // bytes
	dstRow     int // bytes
	channels   int
	bias       unsafe.Pointer
	res        unsafe.Pointer // with the strides of dst; may be nil
	floor      float32
	_          uint32
	table      unsafe.Pointer
}

// winograd is a 3x3 convolution of stride one by F(2x2, 3x3).
type winograd struct {
	level        level
	g            ConvGeom
	lanes        int
	rows         []int // number of rows of each register tile
	weights      []float32
	offsets      []int32 // offset of each channel in a place of the transformed input, in bytes
	place        int     // elements from place to place of the transformed input
	product      int     // elements from place to place of the products
	tileH, tileW int     // numbers of tiles along the image's sides

	direct bool // padding is one and rows are whole vectors: the transforms read and write the image itself

	// Otherwise the input is first split into views, see viewFill, and the outputs pass through four planes.
	strip   int // number of rows of tiles in a strip
	views   [8]view
	channel int // elements of a channel of the views
	plane   int // elements of a plane of outputs

	// For an image of one strip: its number of vectors of tiles, the most images together, and the number of pairs of
	// vectors of all of these.
	vecs, most, pairs int
}

const winoPlaces = 16

var winoTable = newWinoTable()

// newWinoTable returns permutations for the kernels: even and odd lanes of two vectors, a shift by one lane to the
// right and to the left, and the lower and the upper halves of two vectors interleaved.
func newWinoTable() (t [96]int32) {
	for i := range int32(16) {
		t[i], t[16+i], t[32+i], t[48+i] = 2*i, 2*i+1, max(i-1, 0), min(i+1, 15)
		t[64+i], t[80+i] = i/2+i%2*16, 8+i/2+i%2*16
	}
	return t
}

// winogradFits reports whether the transforms are faster than the direct sums. With few channels or tiles they cost
// more than they save, and transformed weights that do not fit a cache take longer to read.
func winogradFits(l level, g ConvGeom) bool {
	tiles := ((g.OutH() + 1) / 2) * ((g.OutW() + 1) / 2)
	return l != generic && g.Groups == 1 && g.KH == 3 && g.KW == 3 && g.SH == 1 && g.SW == 1 && g.DH == 1 &&
		g.DW == 1 &&
		g.C >= 12 && g.O >= 8 && (tiles >= 32 || tiles >= 16 && g.O >= 32)
}

// pack transforms the weights and arranges them in the order in which the tiles read them.
func (p *winograd) pack(s weightSource) {
	size := p.g.O * p.g.C
	if p.weights == nil {
		p.weights = packedMemory(winoPlaces * size)
	}
	row := 0
	for _, n := range p.rows {
		for c := range p.g.C {
			for i := range n {
				m := row + i
				var k [9]float64
				for t, at := range s.tap {
					k[t] = float64(s.w[m*s.byOut+c*s.byIn+at])
				}
				scale := 1.0
				if s.scale != nil {
					scale = float64(s.scale[m])
				}
				for place, v := range winoWeights(k) {
					p.weights[place*size+row*p.g.C+c*n+i] = float32(scale * v)
				}
			}
		}
		row += n
	}
}

// newWinograd returns a winograd without weights, for a geometry that fits. pack sets the weights. plain says that
// there is no pre operation.
func newWinograd(l level, g ConvGeom, plain bool) *winograd {
	p := &winograd{rows: splitRows(g.O, 6)}
	if p.shape(l, g, plain); l == avx512 {
		p.rows = splitRows(g.O, 12)
	}
	// The distance of places is a cache line more than a power of two, so that they do not fall into the same sets of
	// the cache.
	p.place, p.product = 2*p.lanes*g.C+16, 2*p.lanes*g.O+16
	for c := range g.C {
		p.offsets = append(p.offsets, int32(8*p.lanes*c))
	}
	p.vecs, p.most, p.pairs = (p.tileH*p.tileW+p.lanes-1)/p.lanes, 1, 1
	if p.direct {
		return p
	}
	// Weights that are too large for the second-level cache are used for several images each time they are read.
	if p.chooseStrip(); p.strip == p.tileH && p.vecs <= 2 && 4*winoPlaces*g.C*g.O > secondCache/2 {
		p.most = 4
		p.pairs = (p.most*p.vecs + 1) / 2
	}
	return p
}

// shape sets what follows from the shape of the image alone.
func (p *winograd) shape(l level, g ConvGeom, plain bool) {
	p.level, p.g, p.lanes, p.tileH, p.tileW = l, g, 8, (g.OutH()+1)/2, (g.OutW()+1)/2
	p.direct = plain && g.PH == 1 && g.PW == 1 && g.EH == 0 && g.EW == 0 && g.H%2 == 0 && g.W%16 == 0
	if l == avx512 {
		p.lanes = 16
		p.direct = p.direct && (g.W == 32 || g.W == 16 && g.H%4 == 0)
	}
}

// chooseStrip chooses the number of rows of tiles in a strip, within the cache, such that the fewest lanes are idle and
// the fewest rows are filled twice.
func (p *winograd) chooseStrip() {
	best := 0.0
	for n := 1; n <= p.tileH; n++ {
		if n > 1 && 4*8*(n+2)*p.tileW*p.g.C > 2*rearrangeCache {
			break
		}
		columns := 0
		for at := 0; at < p.tileH; at += n {
			columns += (min(n, p.tileH-at)*p.tileW + p.lanes - 1) / p.lanes
		}
		score := float64(p.tileH*p.tileW) / float64(columns*p.lanes) * (1 - 0.1/float64(n))
		if score > best {
			best, p.strip = score, n
		}
	}
	size := (p.strip+2)*p.tileW + p.lanes
	for i := range p.views {
		p.views[i] = view{dy: i/4 - p.g.PH, dx: i%4 - p.g.PW, rows: p.strip + 1, cols: p.tileW, at: i * size}
	}
	p.channel = len(p.views) * size
	p.plane = p.strip*p.tileW + 2*p.lanes
}

// winoWeights returns G g Gᵀ.
func winoWeights(g [9]float64) (u [winoPlaces]float64) {
	column := func(a, b, c float64) [4]float64 { return [4]float64{a, (a + b + c) / 2, (a - b + c) / 2, c} }
	var t [3][4]float64
	for j := range t {
		t[j] = column(g[j], g[3+j], g[6+j])
	}
	for i := range 4 {
		for j, v := range column(t[0][i], t[1][i], t[2][i]) {
			u[4*i+j] = v
		}
	}
	return u
}

func (p *winograd) ceils() bool { return false }

func (p *winograd) scratchLen() int {
	return p.pairs*winoPlaces*(p.place+p.product) + p.g.C*p.channel + 4*p.g.O*p.plane + 2*p.tileW + slackLanes
}

// run computes one image; see planIO. It applies a pre operation only if plain was false in newWinograd.
func (p *winograd) run(image planIO) {
	all := p.tileH
	if p.direct {
		all = p.tileH * p.tileW / p.lanes
	}
	p.runPart(&image, span{0, all})
}

// runPart computes a part of one image: some rows of tiles or, where it is read and written directly, some vectors.
func (p *winograd) runPart(io *planIO, part span) {
	if io.accumulate {
		own := *io
		own.residual = io.dst
		io = &own
	}
	if p.direct {
		p.runDirect(io, part)
	} else {
		p.runStrips(io, part)
	}
}

func (p *winograd) together() int { return p.most }

// several computes n images, whose vectors of tiles lie side by side; see planIO.
func (p *winograd) several(image planIO, n int) {
	scratch := alignVector(image.scratch)
	v, m := scratch[:p.pairs*winoPlaces*p.place], scratch[p.pairs*winoPlaces*p.place:][:p.pairs*winoPlaces*p.product]
	planes := scratch[len(v)+len(m):][:4*p.g.O*p.plane]
	views := scratch[len(v)+len(m)+len(planes):]
	for i := range n {
		io := image.at(i)
		p.fillViews(&io, views, 0, p.tileH)
		for j := range p.vecs {
			to := i*p.vecs + j
			p.transformViews(v[to/2*winoPlaces*p.place+to%2*p.lanes:], views, j*p.lanes)
		}
	}
	p.multiply(v, m, n*p.vecs)
	for i := range n {
		io := image.at(i)
		for j := range p.vecs {
			from := i*p.vecs + j
			p.flatten(planes, m[from/2*winoPlaces*p.product+from%2*p.lanes:], j*p.lanes)
		}
		p.weave(&io, planes, 0, p.tileH)
		io.activate(0, p.g.OutLen())
	}
}

// multiply computes the sixteen matrix products for the given number of vectors of tiles. Each two vectors have a
// buffer.
func (p *winograd) multiply(v, m []float32, vecs int) {
	t := tileArgs{k: p.g.C, off: unsafe.Pointer(&p.offsets[0]), b1: 4 * p.lanes, ldc: 8 * p.lanes}
	weights := 0
	for place := range winoPlaces {
		row := 0
		for _, n := range p.rows {
			t.a = ptr(p.weights, weights)
			for at := 0; at < vecs; at += 2 {
				pair := at / 2 * winoPlaces
				t.b, t.c = ptr(v, (pair+place)*p.place), ptr(m, (pair+place)*p.product+2*p.lanes*row)
				panelTile(p.level, n, min(2, vecs-at), &t, at == 0)
			}
			weights += n * p.g.C
			row += n
		}
	}
}

// runDirect reads and writes the image itself, each vector sixteen or thirty-two pixels wide.
func (p *winograd) runDirect(io *planIO, part span) {
	scratch := alignVector(io.scratch)
	v, m := scratch[:winoPlaces*p.place], scratch[winoPlaces*p.place:][:winoPlaces*p.product]
	plane, rowBytes := 4*p.g.H*p.g.W, 4*p.g.W
	in := winoInArgs{
		srcChannel: plane, srcRow: rowBytes, dstPlace: 4 * p.place, dstChannel: 8 * p.lanes, channels: p.g.C,
		table: unsafe.Pointer(&winoTable),
	}
	out := winoOutArgs{
		srcPlace: 4 * p.product, srcChannel: 8 * p.lanes, dstChannel: plane, dstRow: rowBytes, channels: p.g.O,
		bias: ptr(io.bias, 0), floor: noFloor, table: unsafe.Pointer(&winoTable),
	}
	if io.relu {
		out.floor = 0
	}
	for first := part.lo; first < part.hi; first += 2 {
		vecs := min(2, part.hi-first)
		for i := range vecs {
			tile := (first + i) * p.lanes
			y, x := 2*(tile/p.tileW), 2*(tile%p.tileW)
			in.src, in.dst = ptr(io.src, y*p.g.W+x), ptr(v, i*p.lanes)
			p.transformDirect(&in, y, x)
		}
		p.multiply(v, m, vecs)
		for i := range vecs {
			tile := (first + i) * p.lanes
			at := 2*(tile/p.tileW)*p.g.W + 2*(tile%p.tileW)
			out.src, out.dst = ptr(m, i*p.lanes), ptr(io.dst, at)
			if io.residual != nil {
				out.res = ptr(io.residual, at)
			}
			switch {
			case p.level == avx2:
				winoOutSegmentAVX2(&out)
			case p.g.W == 32:
				winoOut16AVX512(&out)
			default:
				winoOut8AVX512(&out)
			}
		}
	}
	if io.act.Kind != ActIdentity {
		p.activateDirect(io, part)
	}
}

// activateDirect applies what activation is left to the outputs of some vectors of tiles. Rows of tiles that another
// part has begun are cut where that part's columns begin.
func (p *winograd) activateDirect(io *planIO, part span) {
	w := p.g.W
	for v := part.lo; v < part.hi; v++ {
		for tile := v * p.lanes; tile < (v+1)*p.lanes; {
			row, col := tile/p.tileW, tile%p.tileW
			n := min(p.tileW-col, (v+1)*p.lanes-tile)
			for y := 2 * row; y < 2*row+2; y++ {
				io.activateColumns(0, p.g.O, p.g.H*w, y*w+2*col, y*w+2*(col+n))
			}
			tile += n
		}
	}
}

// transformDirect transforms the inputs of the vector of tiles whose outputs start at pixel (y, x).
func (p *winograd) transformDirect(in *winoInArgs, y, x int) {
	// Masks of the lanes of the two loads that lie in the image, for the first and the last row. With AVX-512 and
	// images that are sixteen pixels wide, the loads are of two rows of tiles; otherwise both are of the same row.
	two := p.level == avx512 && p.g.W == 16
	rows := 2
	if two {
		rows = 4
	}
	in.top, in.bottom = 1<<32-1, 1<<32-1
	if y == 0 {
		in.top = 0
		if two {
			in.top = 0xffff0000
		}
	}
	if y+rows == p.g.H {
		in.bottom = 0
		if two {
			in.bottom = 0xffff
		}
	}
	left, right := x > 0, x+16 < p.g.W
	switch {
	case two:
		winoIn8AVX512(in)
	case p.level == avx512:
		winoIn16AVX512(in)
	case left && right:
		winoInMiddleAVX2(in)
	case left:
		winoInLastAVX2(in)
	case right:
		winoInFirstAVX2(in)
	default:
		winoInAloneAVX2(in)
	}
}
