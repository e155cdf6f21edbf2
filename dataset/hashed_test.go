package dataset

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/nets"
)

// TestHashed: the hashes of all images that were read, by streams and one by one, are kept, and no others.
func TestHashed(t *testing.T) {
	images := make([]Image, 7)
	for i := range images {
		images[i] = Image{Pix: make([]uint8, 32*32*3), Height: 32, Width: 32}
		images[i].Pix[i] = 9
	}
	set, err := FromImages("set", images, nil, nil)
	require.NoError(t, err)
	h := WithHashes(set)
	require.Empty(t, h.Hashes())
	_, err = h.Image(3)
	require.NoError(t, err)
	_, err = h.Image(1)
	require.NoError(t, err)
	require.Equal(t, [][32]byte{ContentHash(images[1]), ContentHash(images[3])}, h.Hashes())
	_, err = h.Image(7)
	require.Error(t, err)

	n := 0
	for b, err := range Batches(context.Background(), h, nets.CIFAR(), BatchOptions{Size: 2, Workers: 3}) {
		require.NoError(t, err)
		n += b.N
	}
	require.Equal(t, 7, n)
	require.Len(t, h.Hashes(), 7)
	for i, hash := range h.Hashes() {
		require.Equal(t, ContentHash(images[i]), hash)
	}
	whole := WithHashes(set)
	_, err = whole.Image(2)
	require.NoError(t, err)
	require.NoError(t, whole.HashAll(context.Background(), 3))
	require.Equal(t, h.Hashes(), whole.Hashes())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, WithHashes(set).HashAll(ctx, 2), context.Canceled)
	require.NoError(t, h.Close())

	broken := WithHashes(failing{set})
	_, err = broken.Image(0)
	require.Error(t, err)
	require.ErrorContains(t, broken.HashAll(context.Background(), 2), "unreadable")
	require.Empty(t, broken.Hashes())
}

// failing is a set whose images cannot be read.
type failing struct{ Dataset }

func (failing) Image(int) (Image, error) { return Image{}, errors.New("unreadable") }
