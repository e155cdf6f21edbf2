package jpeg

import "errors"

const lookupBits = 9

// huffman decodes one table's codes: short codes by a lookup, long ones by comparison with the largest code of each
// length.
type huffman struct {
	lookup  [1 << lookupBits]uint16 // length<<8 | value; 0 where the code is longer
	maxCode [18]int32               // largest code of each length, aligned to 16 bits, -1 if none; [17] is a sentinel
	offset  [17]int32               // index of a code's value = offset[length] + code
	values  []byte
}

// newHuffman builds a table from the number of codes of each length and the values in order (T.81 annex C).
func newHuffman(counts [16]byte, values []byte) (*huffman, error) {
	h := &huffman{values: append([]byte(nil), values...)}
	code, index := int32(0), int32(0)
	for length := 1; length <= 16; length++ {
		h.maxCode[length] = -1
		h.offset[length] = index - code
		for range counts[length-1] {
			if code >= 1<<length {
				return nil, errors.New("damaged Huffman table: too many codes")
			}
			if length <= lookupBits {
				first := code << (lookupBits - length)
				for i := range int32(1) << (lookupBits - length) {
					h.lookup[first+i] = uint16(length)<<8 | uint16(values[index])
				}
			}
			h.maxCode[length] = code<<(16-length) | (1<<(16-length) - 1)
			code++
			index++
		}
		code <<= 1
	}
	return h, nil
}

// bitReader reads entropy-coded bits; it stops before any marker.
type bitReader struct {
	data []byte
	pos  int
	acc  uint64 // the next bits, left-aligned
	n    int    // number of bits in acc
	pad  int    // number of bits in acc that are zeros added after the end
}

// reset drops all bits and continues at pos.
func (b *bitReader) reset(data []byte, pos int) { *b = bitReader{data: data, pos: pos} }

// fill makes at least 48 bits available.
func (b *bitReader) fill() {
	for b.n <= 56 {
		var v byte
		switch {
		case b.pos >= len(b.data):
			b.pad += 8
		case b.data[b.pos] != 0xFF:
			v = b.data[b.pos]
			b.pos++
		case b.pos+1 < len(b.data) && b.data[b.pos+1] == 0:
			v = 0xFF
			b.pos += 2
		default: // a marker
			b.pad += 8
		}
		b.acc |= uint64(v) << (56 - b.n)
		b.n += 8
	}
}

// overrun reports whether bits beyond the end of the data have been used.
func (b *bitReader) overrun() bool { return b.n < b.pad }

// drop removes n bits.
func (b *bitReader) drop(n int) {
	b.acc <<= uint(n) & 63
	b.n -= n
}

// symbol decodes one Huffman code; ok is false where the bits match no code of the table.
func (b *bitReader) symbol(h *huffman) (v byte, ok bool) {
	if b.n < 32 {
		b.fill()
	}
	if e := h.lookup[b.acc>>(64-lookupBits)]; e != 0 {
		b.drop(int(e >> 8))
		return byte(e), true
	}
	top := int32(b.acc >> 48)
	for length := lookupBits + 1; length <= 16; length++ {
		if top <= h.maxCode[length] {
			b.drop(length)
			return h.values[h.offset[length]+top>>(16-length)], true
		}
	}
	return 0, false
}

// receive reads n <= 16 bits. They are always available: symbol leaves 16 bits even after the longest code.
func (b *bitReader) receive(n int) int32 {
	v := int32(b.acc >> 1 >> (63 - uint(n)))
	b.drop(n)
	return v
}

// receiveExtend reads an n-bit magnitude with its sign folded in (T.81 F.2.2.1, EXTEND).
func (b *bitReader) receiveExtend(n int) int32 {
	if n == 0 {
		return 0
	}
	v := b.receive(n)
	if v < 1<<(n-1) {
		v += -1<<n + 1
	}
	return v
}

// bit reads one bit.
func (b *bitReader) bit() bool {
	if b.n < 1 {
		b.fill()
	}
	v := b.acc>>63 != 0
	b.drop(1)
	return v
}
