//go:build amd64 && !noasm

package kernel

import "unsafe"

// Winograd's minimal filtering F(4x4, 3x3) computes 4x4 outputs of a 3x3 convolution of stride one from a 6x6 input
// tile with 36 products for each pair of channels instead of 144; see winograd for F(2x2, 3x3) and where both come
// from.
//
// The polynomials are evaluated at 0, ±3/4, ±3/2 and infinity. Every constant of the transforms of inputs and products
// is then exact in float32, and an output's error in the mean square is about twice that of a direct sum, where with
// the points 0, ±1, ±2 it would be four to five times.
//
// Rounding: every row of a transform of inputs rounds at most three times, as does every row of one of products, the
// weights round once and the sums over C channels C times. An output's error is thus bounded by C+13 roundings of
// |Aᵀ| [ (|G| |g| |Gᵀ|) ⊙ (|Bᵀ| |d| |B|) summed over input channels ] |A|.
//
// The transforms are done by rows first. Of the padded input, row r of each column j of the tiles is kept in plane j,
// phase r%4, where those of consecutive rows of tiles lie side by side: the columns of any eight tiles in a row,
// counted from left to right and from top to bottom, are then contiguous. The way back is the same in reverse.

const (
	fourPlaces  = 36
	fourNear    = 3. / 4 // the points
	fourFar     = 3. / 2
	fourStage   = 48 << 10  // bytes of inputs or outputs in the making wanted at a time
	fourCache   = 640 << 10 // bytes of transformed inputs wanted at a time
	fourColumns = 48        // tiles of several images together at most
	fourRun     = 128 << 10 // bytes of the weights of a place that stay in cache beside them
)

// fourTable lists what the kernels take: the points, their squares and cubes, the product and the sum of the squares,
// each repeated over the lanes, and the permutation that moves every lane's right neighbour into it.
var fourTable = func() (t [9 * 8]uint32) {
	const aa, bb = fourNear * fourNear, fourFar * fourFar
	for i, v := range [...]float32{fourNear, fourFar, aa, bb, aa * fourNear, bb * fourFar, aa * bb, aa + bb} {
		for lane := range 8 {
			t[8*i+lane] = *(*uint32)(unsafe.Pointer(&v))
		}
	}
	for lane := range 8 {
		t[64+lane] = uint32(min(lane+1, 7))
	}
	return t
}()

// winogradFour is a 3x3 convolution of stride one.
type winogradFour struct {
	level        level
	g            ConvGeom
	width        int   // columns of a panel
	rows         []int // of each register tile
	weights      []float32
	offsets      []int32 // bytes of each channel in a panel
	tileH, tileW int     // tiles of the image
	strip        int     // rows of tiles in a strip
	// slot is how many elements there are from place to place: the panels of inputs and, one slot before, of products.
	slot            int
	pitch           int // elements from row to row of the padded input
	padded          int // elements of a channel of it
	phase           int // elements from phase to phase of the inputs with their rows transformed
	plane           int // elements from column to column of the products with their columns transformed
	inputs, outputs int // channels transformed at a time
	inRun           int // row tiles whose weights stay in cache for all panels
	most            int // images together
}

// winogradFourFits reports whether the transforms pay more than those of F(2x2, 3x3) do: few channels spend more on
// them than they save, and where too much of the tiles lies outside of the map there are hardly fewer products.
func winogradFourFits(l level, g ConvGeom) bool {
	oh, ow := g.OutH(), g.OutW()
	four, two := ((oh+3)/4)*((ow+3)/4), ((oh+1)/2)*((ow+1)/2)
	return l != generic && g.Groups == 1 && g.KH == 3 && g.KW == 3 && g.SH == 1 && g.SW == 1 && g.DH == 1 &&
		g.DW == 1 &&
		g.C >= 64 && g.O >= 64 && oh >= 14 && ow >= 14 && 4*fourPlaces*((four+7)/8) <= 3*winoPlaces*((two+7)/8)
}

// newWinogradFour lays out a geometry that fits; pack gives it weights.
func newWinogradFour(l level, g ConvGeom) *winogradFour {
	p := &winogradFour{level: l, g: g, width: 16, rows: splitRows(g.O, 6), tileH: (g.OutH() + 3) / 4,
		tileW: (g.OutW() + 3) / 4}
	if l == avx512 {
		p.width, p.rows = 32, splitRows(g.O, 12)
	}
	for c := range g.C {
		p.offsets = append(p.offsets, int32(4*p.width*c))
	}
	p.strip = p.chooseStrip()
	p.inRun = max(1, fourRun/(4*p.rows[0]*g.C))
	tiles := p.strip * p.tileW
	// A cache line more than a power of two keeps the places from falling into the same sets.
	columns := tiles
	p.most = 1
	if 4*fourPlaces*g.C*g.O > secondCache/2 { // weights that are read from beyond it for every image
		p.most = max(1, fourColumns/fourTiles(tiles))
		columns = (p.most-1)*fourTiles(tiles) + tiles
	}
	p.slot = (columns+p.width-1)/p.width*p.width*max(g.C, g.O) + 16
	p.pitch = 4*p.tileW + 2
	p.padded = (4*p.strip+3)*p.pitch + slackLanes
	p.phase = tiles + p.tileW + 8
	p.plane = tiles + 8
	p.inputs = min(max(1, fourStage/4/(p.padded+24*p.phase)), g.C)
	p.outputs = min(max(1, fourStage/4/(24*p.plane)), g.O)
	return p
}

// fourTiles returns how many tiles apart those of images stand: a multiple of what a transform writes at once.
func fourTiles(n int) int { return (n + 7) &^ 7 }

// chooseStrip picks the rows of tiles of a strip that leave the fewest lanes idle. Strips are to fit the cache, unless
// reading all weights again for each strip takes longer than writing inputs and products to memory and reading them
// back.
func (p *winogradFour) chooseStrip() int {
	most := max(fourCache/(4*fourPlaces*max(p.g.C, p.g.O)), p.g.C*p.g.O/(p.g.C+p.g.O))
	lanes := p.width / 2
	best, strip := 0.0, 1
	for n := 1; n <= p.tileH && (n == 1 || n*p.tileW <= most); n++ {
		vectors := 0
		for at := 0; at < p.tileH; at += n {
			vectors += (min(n, p.tileH-at)*p.tileW + lanes - 1) / lanes
		}
		score := float64(p.tileH*p.tileW) / float64(lanes*vectors) * (1 - 0.1/float64(n))
		if score > best {
			best, strip = score, n
		}
	}
	return strip
}

// fourWeights returns G g Gᵀ.
func fourWeights(g [9]float64) (u [fourPlaces]float64) {
	points := [...]float64{0, fourNear, -fourNear, fourFar, -fourFar}
	column := func(a, b, c float64) (out [6]float64) {
		for i, x := range points {
			f := 1.0
			for j, y := range points {
				if j != i {
					f *= x - y
				}
			}
			out[i] = (a + x*(b+x*c)) / f
		}
		out[5] = c
		return out
	}
	var t [3][6]float64
	for j := range t {
		t[j] = column(g[j], g[3+j], g[6+j])
	}
	for i := range 6 {
		for j, v := range column(t[0][i], t[1][i], t[2][i]) {
			u[6*i+j] = v
		}
	}
	return u
}

// pack transforms the weights and orders them as the tiles read them.
func (p *winogradFour) pack(s weightSource) {
	size := p.g.O * p.g.C
	if p.weights == nil {
		p.weights = packedMemory(fourPlaces * size)
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
				for place, v := range fourWeights(k) {
					p.weights[place*size+row*p.g.C+c*n+i] = float32(scale * v)
				}
			}
		}
		row += n
	}
}
