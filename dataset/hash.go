package dataset

import (
	"crypto/sha256"
	"encoding/binary"
)

// ContentHash returns a hash of a picture's content: the SHA-256 of its height and width in pixels, each as eight
// bytes in big-endian order, followed by its samples. Pictures with the same hash have the same content, whatever
// their files, names and labels are.
func ContentHash(img Image) [sha256.Size]byte {
	h := sha256.New()
	var size [16]byte
	binary.BigEndian.PutUint64(size[:8], uint64(img.Height))
	binary.BigEndian.PutUint64(size[8:], uint64(img.Width))
	h.Write(size[:])
	h.Write(img.Pix)
	return [sha256.Size]byte(h.Sum(nil))
}
