package jpeg

import (
	"errors"
	"fmt"
)

var errCode = errors.New("damaged data: not a Huffman code")

// readScan reads a scan header (T.81 B.2.3) and decodes the entropy-coded data behind it.
func (d *decoder) readScan(s []byte) error {
	if d.comps == nil {
		return errors.New("a scan before the frame header")
	}
	if d.scans++; d.scans > maxScans {
		return fmt.Errorf("more than %d scans", maxScans)
	}
	if len(s) < 1 || s[0] < 1 || s[0] > 4 || len(s) != 4+2*int(s[0]) {
		return errors.New("scan header of the wrong length")
	}
	n := int(s[0])
	comps := make([]*component, 0, n)
	blocks := 0
	for i := range n {
		id, tables := s[1+2*i], s[2+2*i]
		c := d.component(id)
		if c == nil {
			return fmt.Errorf("a scan of the unknown component %d", id)
		}
		for _, other := range comps {
			if other == c {
				return fmt.Errorf("a scan with component %d twice", id)
			}
		}
		if tables>>4 > 3 || tables&15 > 3 {
			return errors.New("damaged scan header")
		}
		c.dc, c.ac = d.dcTables[tables>>4], d.acTables[tables&15]
		if !c.latched {
			if !d.hasQuant[c.tq] {
				return fmt.Errorf("quantisation table %d is missing", c.tq)
			}
			c.quant, c.latched = d.quant[c.tq], true
		}
		comps = append(comps, c)
		blocks += c.h * c.v
	}
	if n > 1 && blocks > 10 {
		return fmt.Errorf("expected at most 10 blocks in a minimum coded unit, got %d", blocks)
	}
	p := spectral{start: int(s[1+2*n]), end: int(s[2+2*n]), high: int(s[3+2*n] >> 4), low: uint(s[3+2*n] & 15)}
	decode, err := d.blockDecoder(p, comps)
	if err != nil {
		return err
	}
	return d.decodeScan(comps, decode)
}

// spectral says which coefficients a progressive scan contains: zigzag positions and bit positions.
type spectral struct {
	start, end int
	high       int
	low        uint
}

// blockDecoder checks the scan's parameters and tables and returns the function that decodes its blocks.
func (d *decoder) blockDecoder(p spectral, comps []*component) (func(c *component, index int) error, error) {
	needDC, needAC := true, true
	var decode func(c *component, index int) error
	if d.progressive {
		dc := p.start == 0
		switch {
		case p.end > 63 || p.start > p.end || p.low > 13 || (p.high != 0 && p.high != int(p.low)+1):
			return nil, errors.New("damaged scan header: spectral selection or approximation")
		case dc && p.end != 0:
			return nil, errors.New("damaged scan header: DC and AC coefficients in one progressive scan")
		case !dc && len(comps) != 1:
			return nil, errors.New("damaged scan header: AC coefficients of several components in one scan")
		case dc && p.high == 0:
			decode, needAC = func(c *component, i int) error { return d.dcFirst(c, &c.coef[i], p.low) }, false
		case dc:
			decode, needDC, needAC = func(c *component, i int) error { return d.dcRefine(&c.coef[i], p.low) }, false,
				false
		case p.high == 0:
			decode, needDC = func(c *component, i int) error { return d.acFirst(c, &c.coef[i], p) }, false
		default:
			decode, needDC = func(c *component, i int) error { return d.acRefine(c, &c.coef[i], p) }, false
		}
		for _, c := range comps {
			if dc {
				c.seen = true
			} else if !c.seen {
				return nil, fmt.Errorf("AC coefficients of component %d before its DC coefficients", c.id)
			}
		}
	} else {
		for _, c := range comps {
			if c.seen {
				return nil, fmt.Errorf("component %d has two scans", c.id)
			}
			c.seen = true
		}
		decode = d.sequential
	}
	for _, c := range comps {
		if needDC && c.dc == nil || needAC && c.ac == nil {
			return nil, fmt.Errorf("the Huffman table of component %d is missing", c.id)
		}
	}
	return decode, nil
}

func (d *decoder) component(id byte) *component {
	for i := range d.comps {
		if d.comps[i].id == id {
			return &d.comps[i]
		}
	}
	return nil
}

// decodeScan decodes the scan's minimum coded units: for one component single blocks of the real (unpadded) plane,
// for interleaved components h x v blocks of each (T.81 A.2).
func (d *decoder) decodeScan(comps []*component, decode func(c *component, index int) error) error {
	d.bits.reset(d.data, d.pos)
	d.restart(comps)
	unitsX, unitsY := d.mcusX, d.mcusY
	single := len(comps) == 1
	if single {
		unitsX, unitsY = ceilDiv(comps[0].width, 8), ceilDiv(comps[0].height, 8)
	}
	total := unitsX * unitsY
	for unit := range total {
		if d.restartInterval > 0 && unit > 0 && unit%d.restartInterval == 0 {
			if err := d.readRestart(unit/d.restartInterval - 1); err != nil {
				return err
			}
			d.restart(comps)
		}
		ux, uy := unit%unitsX, unit/unitsX
		if unit&4095 == 0 {
			if err := d.ctx.Err(); err != nil {
				return err
			}
		}
		if single {
			if err := decode(comps[0], uy*comps[0].blocksX+ux); err != nil {
				return d.blame(err)
			}
		} else {
			for _, c := range comps {
				for v := range c.v {
					for h := range c.h {
						if err := decode(c, (uy*c.v+v)*c.blocksX+ux*c.h+h); err != nil {
							return d.blame(err)
						}
					}
				}
			}
		}
		if d.bits.overrun() {
			return d.blame(errTruncated)
		}
	}
	d.pos = d.bits.pos
	return nil
}

// blame replaces any error that comes from bits beyond the end of the file by errTruncated.
func (d *decoder) blame(err error) error {
	if d.bits.overrun() {
		return errTruncated
	}
	return err
}

func (d *decoder) restart(comps []*component) {
	for _, c := range comps {
		c.pred = 0
	}
	d.eobRun = 0
}

// readRestart reads the restart marker with number k (modulo 8).
func (d *decoder) readRestart(k int) error {
	d.pos = d.bits.pos
	marker, err := d.nextMarker()
	if err != nil {
		return err
	}
	if want := byte(mRST0 + k%8); marker != want {
		return fmt.Errorf("damaged data: marker %#x where restart marker %#x belongs", marker, want)
	}
	d.bits.reset(d.data, d.pos)
	return nil
}

// sequential decodes a whole block and transforms it at once (T.81 F.2.2).
func (d *decoder) sequential(c *component, index int) error {
	var b block
	category, ok := d.bits.symbol(c.dc)
	if !ok {
		return errCode
	}
	c.pred += d.bits.receiveExtend(int(category))
	b[0] = int16(c.pred)
	last := 0
	for k := 1; k < 64; k++ {
		rs, ok := d.bits.symbol(c.ac)
		if !ok {
			return errCode
		}
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		k += run
		b[zigzag[k]] = int16(d.bits.receiveExtend(size))
		last = k
	}
	x, y := index%c.blocksX, index/c.blocksX
	c.transform(&b, last, x, y)
	return nil
}

// dcFirst decodes the first scan of a DC coefficient (T.81 G.1.2.1).
func (d *decoder) dcFirst(c *component, b *block, low uint) error {
	category, ok := d.bits.symbol(c.dc)
	if !ok {
		return errCode
	}
	c.pred += d.bits.receiveExtend(int(category))
	b[0] = int16(c.pred << low)
	return nil
}

// dcRefine decodes one more bit of a DC coefficient.
func (d *decoder) dcRefine(b *block, low uint) error {
	if d.bits.bit() {
		b[0] |= 1 << low
	}
	return nil
}

// acFirst decodes the first scan of a band of AC coefficients (T.81 G.1.2.2).
func (d *decoder) acFirst(c *component, b *block, p spectral) error {
	if d.eobRun > 0 {
		d.eobRun--
		return nil
	}
	for k := p.start; k <= p.end; k++ {
		rs, ok := d.bits.symbol(c.ac)
		if !ok {
			return errCode
		}
		run, size := int(rs>>4), int(rs&15)
		if size != 0 {
			k += run
			b[zigzag[k]] = int16(d.bits.receiveExtend(size) << p.low)
			continue
		}
		if run == 15 {
			k += 15
			continue
		}
		d.eobRun = 1<<run - 1
		if run > 0 {
			d.eobRun += int(d.bits.receive(run))
		}
		break
	}
	return nil
}

// acRefine decodes one more bit of a band of AC coefficients (T.81 G.1.2.3).
func (d *decoder) acRefine(c *component, b *block, p spectral) error {
	one := int16(1) << p.low
	k := p.start
	if d.eobRun == 0 {
		for ; k <= p.end; k++ {
			rs, ok := d.bits.symbol(c.ac)
			if !ok {
				return errCode
			}
			run, size := int(rs>>4), int(rs&15)
			fresh := int16(0)
			switch {
			case size == 1:
				fresh = -one
				if d.bits.bit() {
					fresh = one
				}
			case size != 0:
				return errors.New("damaged data: a new coefficient of more than one bit in a refinement scan")
			case run != 15:
				d.eobRun = 1 << run
				if run > 0 {
					d.eobRun += int(d.bits.receive(run))
				}
			}
			if d.eobRun > 0 {
				break
			}
			k = d.refine(b, k, p.end, run, one)
			if fresh != 0 && k <= p.end {
				b[zigzag[k]] = fresh
			}
		}
	}
	if d.eobRun > 0 {
		d.eobRun--
		d.refine(b, k, p.end, -1, one)
	}
	return nil
}

// refine corrects the non-zero coefficients from position k on, and meanwhile skips zeros coefficients that are still
// zero. It returns the position of the next zero coefficient after these. A negative zeros continues to the end of
// the band.
func (d *decoder) refine(b *block, k, end, zeros int, one int16) int {
	for ; k <= end; k++ {
		v := &b[zigzag[k]]
		if *v == 0 {
			if zeros == 0 {
				break
			}
			zeros--
			continue
		}
		if d.bits.bit() && *v&one == 0 {
			if *v >= 0 {
				*v += one
			} else {
				*v -= one
			}
		}
	}
	return k
}
