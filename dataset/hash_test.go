package dataset_test

import (
	"crypto/sha256"
	"testing"

	"github.com/line-ood/goline/dataset"
)

func TestContentHash(t *testing.T) {
	img := dataset.Image{Pix: []uint8{1, 2, 3, 4, 5, 6}, Height: 1, Width: 2}
	want := sha256.Sum256([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6})
	if got := dataset.ContentHash(img); got != want {
		t.Errorf("hash of %v: got %x, expected %x", img, got, want)
	}
	for _, other := range []dataset.Image{
		{Pix: img.Pix, Height: 2, Width: 1},
		{Pix: []uint8{1, 2, 3, 4, 5, 7}, Height: 1, Width: 2},
		{},
	} {
		if dataset.ContentHash(other) == want {
			t.Errorf("%v has the hash of %v", other, img)
		}
	}
}
