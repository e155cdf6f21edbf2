package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Marker codes (T.81 table B.1).
const (
	mSOF0  = 0xC0 // baseline
	mSOF1  = 0xC1 // extended sequential
	mSOF2  = 0xC2 // progressive
	mDHT   = 0xC4
	mJPG   = 0xC8
	mDAC   = 0xCC
	mSOF15 = 0xCF
	mRST0  = 0xD0
	mRST7  = 0xD7
	mSOI   = 0xD8
	mEOI   = 0xD9
	mSOS   = 0xDA
	mDQT   = 0xDB
	mDNL   = 0xDC
	mDRI   = 0xDD
	mAPP0  = 0xE0
	mAPP14 = 0xEE
	mTEM   = 0x01
)

// maxScans bounds the work that a small malicious file can cause; real progressive files have about ten scans.
const maxScans = 500

// readFile walks over all segments up to the end of the image.
func (d *decoder) readFile() error {
	if len(d.data) < 2 || d.data[0] != 0xFF || d.data[1] != mSOI {
		return errors.New("no start-of-image marker")
	}
	d.pos = 2
	for {
		marker, err := d.nextMarker()
		if err != nil {
			return err
		}
		switch {
		case marker == mEOI:
			return d.finish()
		case marker == mSOI:
			return errors.New("a second start-of-image marker")
		case marker == mTEM, mRST0 <= marker && marker <= mRST7:
			continue // these have no payload, and no meaning here
		}
		segment, err := d.segment(marker)
		if err != nil {
			return err
		}
		switch marker {
		case mSOF0, mSOF1, mSOF2:
			d.progressive = marker == mSOF2
			err = d.readFrame(segment)
		case mDHT:
			err = d.readHuffmanTables(segment)
		case mDQT:
			err = d.readQuantTables(segment)
		case mDRI:
			if len(segment) != 2 {
				return fmt.Errorf("expected a restart interval segment of 2 bytes, got %d", len(segment))
			}
			d.restartInterval = int(binary.BigEndian.Uint16(segment))
		case mSOS:
			err = d.readScan(segment)
		case mAPP0:
			if len(segment) >= 5 && string(segment[:5]) == "JFIF\x00" {
				d.jfif = true
			}
		case mAPP14:
			if len(segment) >= 12 && string(segment[:5]) == "Adobe" {
				d.adobe, d.adobeTransform = true, segment[11]
			}
		case mDAC, mDNL:
			err = fmt.Errorf("%w: marker %#x", ErrUnsupported, marker)
		default:
			if mSOF0 <= marker && marker <= mSOF15 && marker != mJPG {
				err = fmt.Errorf("%w: frame type SOF%d", ErrUnsupported, marker-mSOF0)
			}
		}
		if err != nil {
			return err
		}
	}
}

// nextMarker finds the next marker and moves past it. It skips stray bytes before the marker, as libjpeg does.
func (d *decoder) nextMarker() (byte, error) {
	for ; d.pos+1 < len(d.data); d.pos++ {
		if d.data[d.pos] == 0xFF && d.data[d.pos+1] != 0 && d.data[d.pos+1] != 0xFF {
			d.pos += 2
			return d.data[d.pos-1], nil
		}
	}
	return 0, errTruncated
}

// segment returns the payload of the segment at the current position and moves past it.
func (d *decoder) segment(marker byte) ([]byte, error) {
	rest := d.data[d.pos:]
	if len(rest) < 2 {
		return nil, errTruncated
	}
	n := int(binary.BigEndian.Uint16(rest))
	if n < 2 {
		return nil, fmt.Errorf("segment %#x has length %d", marker, n)
	}
	if n > len(rest) {
		return nil, errTruncated
	}
	d.pos += n
	return rest[2:n], nil
}

// readFrame reads the frame header (T.81 B.2.2).
func (d *decoder) readFrame(s []byte) error {
	if d.comps != nil {
		return errors.New("a second frame header")
	}
	if len(s) < 6 || len(s) != 6+3*int(s[5]) {
		return errors.New("frame header of the wrong length")
	}
	if s[0] != 8 {
		return fmt.Errorf("%w: %d bits per sample", ErrUnsupported, s[0])
	}
	d.height, d.width = int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:]))
	if d.height == 0 || d.width == 0 {
		return fmt.Errorf("size %dx%d (width x height)", d.width, d.height)
	}
	if d.width*d.height > d.maxPixels {
		return fmt.Errorf("%dx%d pixels are above the limit of %d pixels", d.width, d.height, d.maxPixels)
	}
	n := int(s[5])
	if n != 1 && n != 3 && n != 4 {
		return fmt.Errorf("%w: %d components", ErrUnsupported, n)
	}
	comps := make([]component, n)
	for i := range comps {
		c := &comps[i]
		c.id, c.h, c.v, c.tq = s[6+3*i], int(s[7+3*i]>>4), int(s[7+3*i]&15), s[8+3*i]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.tq > 3 {
			return fmt.Errorf("component %d has sampling %dx%d and quantisation table %d", i, c.h, c.v, c.tq)
		}
		for j := range i {
			if comps[j].id == c.id {
				return fmt.Errorf("two components with the name %d", c.id)
			}
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
	}
	d.mcusX, d.mcusY = ceilDiv(d.width, 8*d.hMax), ceilDiv(d.height, 8*d.vMax)
	for i := range comps {
		c := &comps[i]
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return fmt.Errorf("%w: fractional subsampling %dx%d of %dx%d", ErrUnsupported, c.h, c.v, d.hMax, d.vMax)
		}
		c.hExp, c.vExp = d.hMax/c.h, d.vMax/c.v
		c.width, c.height = ceilDiv(d.width, c.hExp), ceilDiv(d.height, c.vExp)
		c.blocksX, c.blocksY = d.mcusX*c.h, d.mcusY*c.v
		c.stride = 8 * c.blocksX
	}
	// The DC coefficient of every block needs at least one bit of Huffman code.
	if blocks := ceilDiv(d.width, 8) * ceilDiv(d.height, 8); blocks > 8*len(d.data) {
		return errTruncated
	}
	d.memory = 3 * int64(d.width) * int64(d.height)
	for i := range comps {
		samples := 64 * int64(comps[i].blocksX) * int64(comps[i].blocksY)
		if d.memory += samples; d.progressive {
			d.memory += 2 * samples
		}
	}
	if d.headOnly {
		return errHead
	}
	for i := range comps {
		c := &comps[i]
		if d.progressive {
			c.coef = make([]block, c.blocksX*c.blocksY)
		}
		c.plane = make([]uint8, 64*c.blocksX*c.blocksY)
	}
	d.comps = comps
	return nil
}

// readQuantTables reads a DQT segment (T.81 B.2.4.1).
func (d *decoder) readQuantTables(s []byte) error {
	for len(s) > 0 {
		precision, id := s[0]>>4, s[0]&15
		size := 64 << precision
		if precision > 1 || id > 3 || len(s) < 1+size {
			return errors.New("damaged quantisation table")
		}
		for k := range 64 {
			q := int32(s[1+k])
			if precision == 1 {
				q = int32(binary.BigEndian.Uint16(s[1+2*k:]))
			}
			d.quant[id][zigzag[k]] = q
		}
		d.hasQuant[id] = true
		s = s[1+size:]
	}
	return nil
}

// readHuffmanTables reads a DHT segment (T.81 B.2.4.2).
func (d *decoder) readHuffmanTables(s []byte) error {
	for len(s) > 0 {
		class, id := s[0]>>4, s[0]&15
		if class > 1 || id > 3 || len(s) < 17 {
			return errors.New("damaged Huffman table")
		}
		n := 0
		for _, count := range s[1:17] {
			n += int(count)
		}
		if n > 256 || len(s) < 17+n {
			return errors.New("damaged Huffman table")
		}
		table, err := newHuffman([16]byte(s[1:17]), s[17:17+n])
		if err != nil {
			return err
		}
		if class == 0 {
			for _, v := range s[17 : 17+n] {
				if v > 15 {
					return errors.New("damaged Huffman table: DC category above 15")
				}
			}
			d.dcTables[id] = table
		} else {
			d.acTables[id] = table
		}
		s = s[17+n:]
	}
	return nil
}

// finish checks that the file contained a picture, and runs the inverse DCT of a progressive one.
func (d *decoder) finish() error {
	if d.comps == nil {
		return errors.New("no frame header before the end of the image")
	}
	for i := range d.comps {
		c := &d.comps[i]
		if !c.seen {
			return fmt.Errorf("no scan for component %d", c.id)
		}
		if d.progressive {
			if err := d.ctx.Err(); err != nil {
				return err
			}
			c.inverse()
		}
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
