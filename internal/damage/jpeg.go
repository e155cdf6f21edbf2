package damage

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// segment is a marker of a JPEG picture with the data that belong to it.
type segment struct {
	marker  byte
	payload []byte // the bytes behind the length field, nil for a marker without length
	scan    []byte // the entropy-coded data behind a start of scan, including restart markers
}

// Markers of a JPEG picture (ITU-T T.81, table B.1).
const (
	jpegSOF0, jpegDHT, jpegSOI, jpegEOI, jpegSOS, jpegDQT, jpegDRI = 0xc0, 0xc4, 0xd8, 0xd9, 0xda, 0xdb, 0xdd
)

// JPEG returns a JPEG picture with one defect in one of its segments, whose length field is right for it: a wrong field
// of a frame, a scan or a table, a Huffman table with one code more of one length and one less of another, a segment
// missing, doubled, moved or under another marker, or a wrong byte in the coded data that makes no marker. Now and then
// a length is wrong instead. For data that is not a JPEG picture it returns a blind defect.
func JPEG(data []byte, rng *rand.Rand) []byte {
	segments := jpegSegments(data)
	if len(segments) == 0 {
		return Defect(data, rng)
	}
	k := rng.IntN(len(segments))
	if rng.IntN(2) == 0 { // most segments are tables; frame and scans are chosen often
		var first []int
		for i, s := range segments {
			if s.marker == jpegSOS || s.marker >= jpegSOF0 && s.marker < jpegSOF0+16 && s.marker != jpegDHT {
				first = append(first, i)
			}
		}
		if len(first) > 0 {
			k = first[rng.IntN(len(first))]
		}
	}
	victim, wrongLength := segments[k], -1
	switch kind := rng.IntN(10); {
	case kind == 0:
		segments = slices.Delete(segments, k, k+1)
	case kind == 1:
		segments = slices.Insert(segments, k, victim)
	case kind == 2:
		other := rng.IntN(len(segments))
		segments[k], segments[other] = segments[other], segments[k]
	case kind == 3:
		markers := []byte{jpegSOF0, jpegSOF0 + 1, jpegSOF0 + 2, jpegSOF0 + 3, jpegSOF0 + 9, jpegDHT, jpegEOI, jpegSOS,
			jpegDQT, jpegDRI, 0xcc, 0xd0, 0xdc, 0xee, 0xfe, 0x01}
		segments[k].marker = markers[rng.IntN(len(markers))]
	case kind == 4:
		wrongLength = int(numbers[rng.IntN(len(numbers))] & 0xffff)
	case kind == 5 && len(victim.scan) > 0:
		scan := slices.Clone(victim.scan)
		at := rng.IntN(len(scan))
		if scan[at] = byte(rng.IntN(255)); at > 0 && scan[at-1] == 0xff {
			scan[at] = 0 // the zero that follows any 0xff in coded data
		}
		segments[k].scan = scan
	case kind == 6 && len(victim.scan) > 0:
		segments[k].scan = Defect(victim.scan, rng)
	case victim.marker == jpegDHT && len(victim.payload) > 17:
		payload := slices.Clone(victim.payload)
		payload[1+rng.IntN(16)]++
		payload[1+rng.IntN(16)]--
		segments[k].payload = payload
	case len(victim.payload) > 0 && len(victim.payload) < 64: // a field
		payload := slices.Clone(victim.payload)
		values := []byte{0, 1, 2, 3, 4, 5, 0x10, 0x11, 0x22, 0x3f, 0x40, 0x44, 0x7f, 0xff, byte(rng.Uint32())}
		payload[rng.IntN(len(payload))] = values[rng.IntN(len(values))]
		segments[k].payload = payload
	default:
		segments[k].payload = Defect(victim.payload, rng)
	}
	out := []byte{0xff, jpegSOI}
	for i, s := range segments {
		out = append(out, 0xff, s.marker)
		if s.payload != nil {
			length := len(s.payload) + 2
			if i == k && wrongLength >= 0 {
				length = wrongLength
			}
			out = append(binary.BigEndian.AppendUint16(out, uint16(length)), s.payload...)
		}
		out = append(out, s.scan...)
	}
	return out
}

// jpegSegments divides a picture behind its first marker into segments, up to the first error.
func jpegSegments(data []byte) (out []segment) {
	if len(data) < 2 || data[0] != 0xff || data[1] != jpegSOI {
		return nil
	}
	for data = data[2:]; len(data) >= 2 && data[0] == 0xff; {
		s := segment{marker: data[1]}
		data = data[2:]
		if s.marker != jpegEOI && len(data) >= 2 {
			n := int(binary.BigEndian.Uint16(data))
			if n < 2 || n > len(data) {
				break
			}
			s.payload, data = data[2:n:n], data[n:]
		}
		if s.marker == jpegSOS {
			n := 0
			for n < len(data) && (data[n] != 0xff || n+1 < len(data) && (data[n+1] == 0 || data[n+1]&0xf8 == 0xd0)) {
				n++
			}
			s.scan, data = data[:n:n], data[n:]
		}
		out = append(out, s)
	}
	return out
}
