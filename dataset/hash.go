package dataset

import (
	"crypto/sha256"
	"encoding/binary"
)

// ContentHash is what a picture shows, as a hash: the SHA-256 of its height and width in pixels, each as eight bytes,
// the highest first, and its samples. Pictures with one hash are the same picture, whatever their files, names and
// labels are.
func ContentHash(img Image) [sha256.Size]byte {
	h := sha256.New()
	var size [16]byte
	binary.BigEndian.PutUint64(size[:8], uint64(img.Height))
	binary.BigEndian.PutUint64(size[8:], uint64(img.Width))
	h.Write(size[:])
	h.Write(img.Pix)
	return [sha256.Size]byte(h.Sum(nil))
}
