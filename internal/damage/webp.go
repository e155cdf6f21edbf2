package damage

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// chunk is a chunk of a RIFF file.
type chunk struct {
	name    string // four bytes
	payload []byte
}

// WebP returns a WebP picture with one defect in one of its chunks, whose size, like the file's, is right for it: a
// wrong field in the header of the chunk's content, damaged content, or a chunk missing, doubled, moved or under
// another name. Now and then a size is wrong instead. For data that is not a WebP picture it returns a blind defect.
func WebP(data []byte, rng *rand.Rand) []byte {
	chunks := riffChunks(data)
	if len(chunks) == 0 {
		return Defect(data, rng)
	}
	k := rng.IntN(len(chunks))
	wrongSize, wrongFile := -1, -1
	switch kind := rng.IntN(12); {
	case kind == 0:
		chunks = slices.Delete(chunks, k, k+1)
	case kind == 1:
		chunks = slices.Insert(chunks, k, chunks[k])
	case kind == 2:
		other := rng.IntN(len(chunks))
		chunks[k], chunks[other] = chunks[other], chunks[k]
	case kind == 3:
		names := []string{"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP", "EXIF", "none"}
		chunks[k].name = names[rng.IntN(len(names))]
	case kind == 4:
		wrongSize = int(numbers[rng.IntN(len(numbers))] & 0x7fffffff)
	case kind == 5:
		wrongFile = int(numbers[rng.IntN(len(numbers))] & 0x7fffffff)
	case kind < 9 && len(chunks[k].payload) > 0: // dimensions, flags, transforms, partitions
		payload := slices.Clone(chunks[k].payload)
		at := rng.IntN(min(len(payload), 32))
		if rng.IntN(2) == 0 {
			payload[at] ^= 1 << rng.IntN(8)
		} else {
			payload[at] = byte(numbers[rng.IntN(len(numbers))])
		}
		chunks[k].payload = payload
	default:
		chunks[k].payload = Defect(chunks[k].payload, rng)
	}
	out := []byte("RIFF\x00\x00\x00\x00WEBP")
	for i, c := range chunks {
		size := len(c.payload)
		if i == k && wrongSize >= 0 {
			size = wrongSize
		}
		out = append(binary.LittleEndian.AppendUint32(append(out, c.name...), uint32(size)), c.payload...)
		if len(c.payload)%2 == 1 {
			out = append(out, 0)
		}
	}
	size := len(out) - 8
	if wrongFile >= 0 {
		size = wrongFile
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(size))
	return out
}

// riffChunks divides a WebP file into its chunks, up to the first error.
func riffChunks(data []byte) (out []chunk) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WEBP" {
		return nil
	}
	for data = data[12:]; len(data) >= 8; {
		n := int64(binary.LittleEndian.Uint32(data[4:]))
		if n > int64(len(data)-8) {
			break
		}
		out = append(out, chunk{string(data[:4]), data[8 : 8+n : 8+n]})
		data = data[min(int64(len(data)), 8+n+n%2):]
	}
	return out
}
