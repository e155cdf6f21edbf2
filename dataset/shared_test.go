package dataset

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/nets"
)

// plain is a preprocessing whose result is the samples: (v/255 - 0) / (1/255) is v up to rounding.
func plain(resize, crop int) nets.Preprocessing {
	const one = 1.0 / 255
	return nets.Preprocessing{Resize: resize, Crop: crop, Std: [3]float32{one, one, one}}
}

// samples preprocesses an image and returns the result as uint8 [height, width, 3], for comparison with pictures.
func samples(t testing.TB, img Image, p nets.Preprocessing) []uint8 {
	t.Helper()
	q, err := NewPreprocessor(p)
	require.NoError(t, err)
	h, w, err := q.Size(img.Height, img.Width)
	require.NoError(t, err)
	x := make([]float32, 3*h*w)
	require.NoError(t, q.Apply(x, img))
	out := make([]uint8, 3*h*w)
	for i, v := range x {
		out[i%(h*w)*3+i/(h*w)] = uint8(v + 0.5)
	}
	return out
}

// TestScenesEqualTorchvision compares the folder reader, the PNG decoder and Resize(32) + CenterCrop(32) with
// torchvision 0.14 and Pillow.
func TestScenesEqualTorchvision(t *testing.T) {
	d, err := Open("folder:" + sharedtest.Path(t, "data", "scenes_png"))
	require.NoError(t, err)
	defer d.Close()
	text, err := os.ReadFile(sharedtest.Path(t, "fixtures", "scenes_png_order.txt"))
	require.NoError(t, err)
	order := strings.Fields(string(text))
	want, err := npyz.ReadNpyFile(sharedtest.Path(t, "fixtures", "scenes_png_resize32_centercrop32.npy"))
	require.NoError(t, err)
	require.Equal(t, []int{len(order), 32, 32, 3}, want.Shape)
	require.Equal(t, len(order), d.Len())
	require.Equal(t, []string{"buildings", "forests", "glacier", "mountains", "sea", "street"}, d.Classes())
	const size = 32 * 32 * 3
	for i, id := range order {
		require.Equal(t, id, d.ID(i))
		require.Equal(t, strings.Split(id, "/")[0], d.Classes()[d.Labels()[i]])
		img, err := d.Image(i)
		require.NoError(t, err)
		require.Equal(t, want.Data.([]uint8)[i*size:(i+1)*size], samples(t, img, plain(32, 32)), id)
	}
}

// TestImageNetLikeEqualTorchvision compares Resize(256) + CenterCrop(224), of whole pictures and of their top left
// 299x180 pixels.
func TestImageNetLikeEqualTorchvision(t *testing.T) {
	want, err := npyz.ReadNpz(sharedtest.Path(t, "fixtures", "imagenet_like_resize256_centercrop224.npz"))
	require.NoError(t, err)
	require.Len(t, want.Names(), 6)
	for name, a := range want.All() {
		file, crop, cropped := strings.Cut(name, "|")
		d, err := Open(sharedtest.Path(t, "data", "imagenet_like", file))
		require.NoError(t, err)
		require.Equal(t, file, d.ID(0))
		img, err := d.Image(0)
		require.NoError(t, err)
		if cropped {
			require.Equal(t, "crop_299x180", crop)
			img = Image{Pix: img.Pix[:299*180*3], Height: 180, Width: 299}
		}
		require.Equal(t, []int{224, 224, 3}, a.Shape)
		require.Equal(t, a.Data, samples(t, img, plain(256, 224)), name)
	}
}
