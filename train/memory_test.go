package train_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/train"
)

// TestPicturesWithinMemory: training decodes pictures within MaxMemory. The weights do not depend on it. A picture
// that needs more is an error that names it, whether it is used for training, for validation or for the hash in a
// checkpoint.
func TestPicturesWithinMemory(t *testing.T) {
	dir := t.TempDir()
	for i := range 6 {
		img := image.NewGray(image.Rect(0, 0, 40, 30))
		for at := range img.Pix {
			img.Pix[at] = uint8(40 * i)
		}
		var file bytes.Buffer
		require.NoError(t, png.Encode(&file, img))
		class := filepath.Join(dir, fmt.Sprint("c", i%3))
		require.NoError(t, os.MkdirAll(class, 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(class, fmt.Sprint(i, ".png")), file.Bytes(), 0o666))
	}
	set, err := dataset.Open(dir)
	require.NoError(t, err)
	defer set.Close()
	trained := func(memory int64, val dataset.Dataset, checkpoint string) ([]float32, error) {
		c := tinyConfig()
		c.Epochs, c.Batch, c.Shard, c.Workers, c.MaxMemory, c.Checkpoint = 2, 4, 2, 3, memory, checkpoint
		net := tinyNet(t, 1)
		_, err := train.Run(context.Background(), net, set, val, c)
		return net.Params()[0].Float32s(), err
	}
	const takes = 40 * 30 * (3 + 4)
	want, err := trained(0, nil, "")
	require.NoError(t, err)
	got, err := trained(takes, set, filepath.Join(t.TempDir(), "state.npz"))
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = trained(1, nil, "")
	require.Regexp(t, `^train: .*\.png: memory to decode it: expected at most`, err.Error())
	_, err = trained(1, nil, filepath.Join(t.TempDir(), "state.npz"))
	require.Regexp(t, `^train: .*\.png: memory to decode it: expected at most`, err.Error())
	require.ErrorIs(t, func() error { _, err := trained(-1, nil, ""); return err }(), train.ErrConfig)
}
