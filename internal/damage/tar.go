package damage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
)

// tarBlock is the unit of a tar archive, and the size of a header.
const tarBlock = 512

// Tar returns a tar archive with one defect in one of its headers, whose checksum is that of the defect, or with one
// member missing, doubled or last, or its content damaged at its old length. It returns a blind defect of what is no
// tar archive.
func Tar(data []byte, rng *rand.Rand) []byte {
	members, end := tarMembers(data)
	if len(members) == 0 {
		return Defect(data, rng)
	}
	k := rng.IntN(len(members))
	victim := slices.Clone(members[k])
	members[k] = victim
	header, content := victim[:tarBlock], victim[tarBlock:]
	switch rng.IntN(8) {
	case 0:
		members = slices.Delete(members, k, k+1)
	case 1:
		members = slices.Insert(members, k, victim)
	case 2:
		members = append(slices.Delete(members, k, k+1), victim)
	case 3:
		if len(content) > 0 {
			content[rng.IntN(len(content))] ^= 1 << rng.IntN(8)
		}
	case 4: // size, in octal digits or, as GNU does, in binary
		value := numbers[rng.IntN(len(numbers))]
		if octal := fmt.Sprintf("%011o", value); len(octal) == 11 && rng.IntN(2) == 0 {
			copy(header[124:], octal)
		} else {
			copy(header[124:], "\x80\x00\x00\x00")
			binary.BigEndian.PutUint64(header[128:], value)
		}
	case 5: // kind
		header[156] = "0127DLKSVgx5\x00"[rng.IntN(13)]
	default:
		at := rng.IntN(tarBlock)
		for i := range 1 + rng.IntN(min(16, tarBlock-at)) {
			header[at+i] = byte(rng.Uint32())
		}
	}
	sealTar(header)
	return append(bytes.Join(members, nil), end...)
}

// tarMembers cuts an archive into its headers with their contents, and what ends it.
func tarMembers(data []byte) (members [][]byte, end []byte) {
	for len(data) >= tarBlock && data[0] != 0 {
		size, err := strconv.ParseInt(string(bytes.Trim(data[124:136], " \x00")), 8, 64)
		if err != nil || size < 0 || size > int64(len(data)) {
			break
		}
		n := tarBlock + (int(size)+tarBlock-1)/tarBlock*tarBlock
		if n > len(data) {
			break
		}
		members, data = append(members, data[:n]), data[n:]
	}
	return members, data
}

// sealTar makes the checksum of a header right: the sum of its bytes, with blanks for the checksum itself.
func sealTar(header []byte) {
	copy(header[148:156], "        ")
	sum := 0
	for _, v := range header {
		sum += int(v)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
}
