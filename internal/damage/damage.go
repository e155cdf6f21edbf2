// Package damage makes damaged files for tests. Some damage is blind: bits are flipped or ends cut off. Other damage is
// a single defect in a file whose checksums and lengths are right, which reaches code that blind damage does not reach.
package damage

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"slices"
)

// Flip returns data with one bit changed.
func Flip(data []byte, rng *rand.Rand) []byte {
	out := slices.Clone(data)
	if len(out) > 0 {
		out[rng.IntN(len(out))] ^= 1 << rng.IntN(8)
	}
	return out
}

// Cut returns the start of data, at least one byte shorter than data.
func Cut(data []byte, rng *rand.Rand) []byte {
	if len(data) == 0 {
		return nil
	}
	return slices.Clone(data[:rng.IntN(len(data))])
}

// numbers are extreme values for lengths, offsets and sizes.
var numbers = []uint64{0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 40,
	1<<63 - 1, 1 << 63, 1<<64 - 1}

// Defect returns data with one defect: a bit flipped, bytes replaced, removed, doubled or inserted, a number set to an
// extreme, or the end cut off.
func Defect(data []byte, rng *rand.Rand) []byte {
	if len(data) == 0 {
		return []byte{byte(rng.Uint32())}
	}
	out := slices.Clone(data)
	at := rng.IntN(len(out))
	n := 1 + rng.IntN(min(16, len(out)-at))
	switch rng.IntN(7) {
	case 0:
		return Flip(data, rng)
	case 1:
		return Cut(data, rng)
	case 2:
		for i := range n {
			out[at+i] = byte(rng.Uint32())
		}
	case 3:
		out = slices.Delete(out, at, at+n)
	case 4:
		out = slices.Insert(out, at, data[at:at+n]...)
	case 5:
		junk := make([]byte, n)
		for i := range junk {
			junk[i] = byte(rng.Uint32())
		}
		out = slices.Insert(out, at, junk...)
	case 6:
		number := make([]byte, 8)
		order := []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}[rng.IntN(2)]
		width := []int{1, 2, 4, 8}[rng.IntN(4)]
		value := numbers[rng.IntN(len(numbers))]
		switch width {
		case 1:
			number[0] = byte(value)
		case 2:
			order.PutUint16(number, uint16(value))
		case 4:
			order.PutUint32(number, uint32(value))
		case 8:
			order.PutUint64(number, value)
		}
		copy(out[at:], number[:width])
	}
	return out
}

// Zip returns a zip archive with one defect in one of its members, whose checksum is right for the defective content.
// Now and then a member is missing, doubled, or has another's content instead; now and then the member is compressed,
// the others are stored. For data that is not a zip archive it returns Defect.
func Zip(data []byte, rng *rand.Rand) []byte {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(z.File) == 0 {
		return Defect(data, rng)
	}
	victim := rng.IntN(len(z.File))
	if rng.IntN(2) == 0 { // most archives have many small members behind the first; the first ones are chosen often
		victim = rng.IntN(min(4, len(z.File)))
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	deflated := rng.IntN(4) == 0
	kind := rng.IntN(8)
	for i, f := range z.File {
		content := read(f)
		name, times, method := f.Name, 1, uint16(zip.Store)
		if i == victim {
			if deflated {
				method = zip.Deflate
			}
			switch kind {
			case 0:
				times = 0
			case 1:
				times = 2
			case 2:
				content = read(z.File[rng.IntN(len(z.File))])
			case 3:
				name = string(Defect([]byte(name), rng))
			default:
				content = Defect(content, rng)
			}
		}
		for range times {
			m, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
			if err != nil {
				return Defect(data, rng)
			}
			if _, err := m.Write(content); err != nil {
				return Defect(data, rng)
			}
		}
	}
	if w.Close() != nil {
		return Defect(data, rng)
	}
	return out.Bytes()
}

// read returns the content of a member, up to the first error.
func read(f *zip.File) []byte {
	r, err := f.Open()
	if err != nil {
		return nil
	}
	defer r.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(r)
	return b.Bytes()
}

// PNG returns a PNG picture with one defect in one of its chunks, whose length and checksum are right for it.
func PNG(data []byte, rng *rand.Rand) []byte {
	const signature = 8
	if len(data) < signature {
		return Defect(data, rng)
	}
	var chunks [][]byte // type and content
	for rest := data[signature:]; len(rest) >= 12; {
		n := int(binary.BigEndian.Uint32(rest))
		if n < 0 || n > len(rest)-12 {
			break
		}
		chunks, rest = append(chunks, rest[4:8+n]), rest[12+n:]
	}
	if len(chunks) == 0 {
		return Defect(data, rng)
	}
	k := rng.IntN(len(chunks))
	switch rng.IntN(6) {
	case 0:
		chunks = slices.Delete(chunks, k, k+1)
	case 1:
		chunks = slices.Insert(chunks, k, chunks[rng.IntN(len(chunks))])
	default:
		chunks[k] = append(slices.Clone(chunks[k][:4]), Defect(chunks[k][4:], rng)...)
	}
	out := slices.Clone(data[:signature])
	for _, c := range chunks {
		out = binary.BigEndian.AppendUint32(out, uint32(len(c)-4))
		out = append(out, c...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(c))
	}
	return out
}
