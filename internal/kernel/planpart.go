//go:build (amd64 || arm64) && !noasm

package kernel

// partEngine is an engine that can compute an image in parts at the same time, with the bits of the whole.
type partEngine interface {
	engine
	// parts returns how many parts an image makes for so many goroutines, 1 where more would gain nothing.
	parts(n int) int
	// part computes part i of n; see planIO. Each part has scratch of its own.
	part(image planIO, i, n int)
}

// partWork is how many multiply-adds a part should have at least: a microsecond or two.
const partWork = 1 << 17

// worthParts returns the most parts, at most n, of so many multiply-adds.
func worthParts(work, n int) int { return max(1, min(n, work/partWork)) }

func (p *plan) parts(n int) int {
	return worthParts(p.groups*p.m*p.c*len(p.taps)*p.oh*p.ow, min(n, max(len(p.tiles), p.columnUnits())))
}

// columnUnits is how many pieces there are of what a part may have some of: columns of tiles, or rows of outputs.
func (p *plan) columnUnits() int {
	if p.panel {
		return (p.oh*p.ow + 2*p.lanes - 1) / (2 * p.lanes)
	}
	return p.oh
}

func (p *plan) part(image planIO, i, n int) { p.runPart(&image, p.cut(i, n)) }

// cut returns part i of n. Parts of the columns rearrange less, parts of the row tiles read fewer weights; what takes
// the longest part less time is chosen, in units of a tile, of which rearranging a column takes about one.
func (p *plan) cut(i, n int) planPart {
	part, units, tiles := p.all(), p.columnUnits(), len(p.tiles)
	longest := func(total int) int { return (total + n - 1) / n }
	step := 1
	if p.panel {
		step = 2 * p.lanes
	}
	if longest(units)*(tiles+1) < units*(longest(tiles)+1) {
		part.at = portion(part.at.hi, step, i, n)
	} else {
		part.tiles = portion(tiles, 1, i, n)
	}
	return part
}

func (s *stacked) parts(n int) int {
	if e, ok := s.alone.(partEngine); ok {
		return e.parts(n)
	}
	return 1
}

func (s *stacked) part(image planIO, i, n int) { s.alone.(partEngine).part(image, i, n) }

// A thinned convolution copies its input first, which all columns need.
func (t *thinned) parts(int) int { return 1 }

func (t *thinned) part(image planIO, _, _ int) { t.run(image) }

func (e *whole) parts(n int) int { return worthParts(e.g.O*e.g.InLen(), min(n, e.g.O)) }

func (e *whole) part(image planIO, i, n int) { e.rows(&image, portion(e.g.O, 1, i, n)) }

// depthWork is what an output of a depthwise convolution costs, in multiply-adds of a matrix product.
const depthWork = 32

func (d *depthTaps) parts(n int) int {
	return worthParts(3*depthWork*d.g.C*d.g.OutH()*d.g.OutW(), min(n, d.g.C))
}

func (d *depthTaps) part(image planIO, i, n int) { runDepth(image, d.g, d, portion(d.g.C, 1, i, n)) }
