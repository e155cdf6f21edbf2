//go:build amd64 && !noasm

package kernel

import "unsafe"

// Winograd's minimal filtering F(4x4, 3x3) computes 4x4 outputs of a 3x3 convolution of stride one from a 6x6 input
// tile. It takes 36 products per pair of channels instead of 144. See winograd for F(2x2, 3x3) and for the source of
// both.
//
// The polynomials are evaluated at 0, ±3/4, ±3/2 and infinity. With these points every constant of the transforms of
// inputs and products is exact in float32, and the root mean square error of an output is about twice that of a direct
// sum. With the points 0, ±1, ±2 it would be four to five times.
//
// Rounding: every row of an input transform and every row of a product transform rounds at most three times, the
// weights round once, and the sums over C channels round C times. So the error of an output is bounded by C+13
// roundings of |Aᵀ| [ (|G| |g| |Gᵀ|) ⊙ (|Bᵀ| |d| |B|) summed over input channels ] |A|.
//
// The transforms process rows first. Column j of every tile in row r of the padded input goes to plane j, phase r%4,
// where consecutive rows of tiles lie side by side. So the columns of any eight consecutive tiles, counted from left to
// right and from top to bottom, are contiguous. The transform of the products does the same in reverse.

const (
	fourPlaces  = 36
	fourNear    = 3. / 4 // the points of the transform
	fourFar     = 3. / 2
	fourStage   = 48 << 10  // bytes of partly transformed inputs or outputs at a time
	fourCache   = 640 << 10 // bytes of transformed inputs at a time
	fourColumns = 48        // the most tiles of several images together
	fourRun     = 128 << 10 // bytes of the weights of one place that stay in cache beside these
)

// fourTable holds constants for the kernels: the points, their squares and cubes, the product and the sum of the
// squares, each repeated for all lanes, and a permutation that moves into every lane its right neighbour.
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

// winogradFour is a 3x3 convolution of stride one by F(4x4, 3x3).
type winogradFour struct {
	level        level
	g            ConvGeom
	width        int   // number of columns of a panel
	rows         []int // number of rows of each register tile
	weights      []float32
	offsets      []int32 // offset of each channel in a panel, in bytes
	tileH, tileW int     // numbers of tiles along the image's sides
	strip        int     // number of rows of tiles in a strip
	// slot is the number of elements of a slot, the memory of one place (of 36 in a tile). The panels of inputs of
	// place p lie in slot p+1, its products in slot p, where the inputs of the place before it were.
	slot            int
	pitch           int // elements from row to row of the padded input
	padded          int // elements of a channel of the padded input
	phase           int // elements from phase to phase of the inputs whose rows are transformed
	plane           int // elements from column to column of the products whose columns are transformed
	inputs, outputs int // numbers of channels transformed at a time
	inRun           int // number of row tiles whose weights stay in cache for all panels
	most            int // the most images together
}

// winogradFourFits reports whether F(4x4, 3x3) is faster than F(2x2, 3x3). With few channels the transforms cost more
// than they save. Where too much of the tiles lies outside of the map there are hardly fewer products.
func winogradFourFits(l level, g ConvGeom) bool {
	oh, ow := g.OutH(), g.OutW()
	four, two := ((oh+3)/4)*((ow+3)/4), ((oh+1)/2)*((ow+1)/2)
	return l != generic && g.Groups == 1 && g.KH == 3 && g.KW == 3 && g.SH == 1 && g.SW == 1 && g.DH == 1 &&
		g.DW == 1 &&
		g.C >= 64 && g.O >= 64 && oh >= 14 && ow >= 14 && 4*fourPlaces*((four+7)/8) <= 3*winoPlaces*((two+7)/8)
}

// newWinogradFour returns a winogradFour without weights, for a geometry that fits. pack sets the weights.
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
	// The distance of places is a cache line more than a power of two, so that they do not fall into the same sets of
	// the cache.
	columns := tiles
	p.most = 1
	if 4*fourPlaces*g.C*g.O > secondCache/2 { // weights too large to stay in that cache
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

// fourTiles returns the distance, in tiles, from image to image: n rounded up to a multiple of the tiles that a
// transform writes at once.
func fourTiles(n int) int { return (n + 7) &^ 7 }

// chooseStrip returns the number of rows of tiles in a strip that leaves the fewest lanes idle. A strip should fit the
// cache, unless reading all weights again for each strip takes longer than writing inputs and products to memory and
// reading them back.
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

// pack transforms the weights and arranges them in the order in which the tiles read them.
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
