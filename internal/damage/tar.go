package damage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
)

// tarBlock is the block size of a tar archive in bytes, which is also the size of a header.
const tarBlock = 512

// Tar returns a tar archive with one defect: in a header, whose checksum is right for it, or with a member missing,
// doubled or moved to the end, or with damaged content of the old length. For data that is not a tar archive it returns
// Defect.
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
	case 4: // size, in octal digits or in GNU's binary form
		value := numbers[rng.IntN(len(numbers))]
		if octal := fmt.Sprintf("%011o", value); len(octal) == 11 && rng.IntN(2) == 0 {
			copy(header[124:], octal)
		} else {
			copy(header[124:], "\x80\x00\x00\x00")
			binary.BigEndian.PutUint64(header[128:], value)
		}
	case 5: // type of the member
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

// tarMembers divides an archive into its members, each a header with its content, and the rest behind them.
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

// sealTar sets the checksum of a header: the sum of its bytes, with blanks for the checksum itself.
func sealTar(header []byte) {
	copy(header[148:156], "        ")
	sum := 0
	for _, v := range header {
		sum += int(v)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
}
