package dataset

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// writeOpenOOD creates a folder with the layout of OpenOOD's downloads, with one different picture for each list.
func writeOpenOOD(t *testing.T, benchmark, folder string, lists ...string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "data+more") // elsewhere a plus sign separates list and folder
	for i, list := range lists {
		in := folder
		if list == "test_textures" {
			in = "images_classic"
		}
		picture := filepath.Join(root, in, list, "one.png")
		require.NoError(t, os.MkdirAll(filepath.Dir(picture), 0o777))
		require.NoError(t, os.WriteFile(picture, dot(t, i), 0o666))
		path := filepath.Join(root, "benchmark_imglist", benchmark, list+".txt")
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(list+"/one.png -1\n"), 0o666))
	}
	return root
}

func TestOpenOOD(t *testing.T) {
	names := func(sets []OpenOODSet) string {
		var out []string
		for _, s := range sets {
			out = append(out, s.Name)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		benchmark, folder, lists, near, far, csid string
	}{
		{
			"cifar10", "images_classic",
			"train_cifar10 val_cifar10 test_cifar10 val_tin test_cifar100 test_tin test_mnist test_svhn test_texture " +
				"test_places365 test_cifar10c",
			"cifar100 tin", "mnist svhn texture places365", "cifar10c",
		},
		{
			"cifar100", "images_classic",
			"train_cifar100 val_cifar100 test_cifar100 val_tin test_cifar10 test_tin test_mnist test_svhn " +
				"test_texture test_places365",
			"cifar10 tin", "mnist svhn texture places365", "",
		},
		{
			"imagenet200", "images_largescale",
			"train_imagenet200 val_imagenet200 test_imagenet200 val_openimage_o test_ssb_hard test_ninco " +
				"test_inaturalist test_textures " +
				"test_openimage_o test_imagenet200_v2 test_imagenet200_c test_imagenet200_r",
			"ssb_hard ninco", "inaturalist textures openimage_o", "imagenet_v2 imagenet_c imagenet_r",
		},
		{
			"imagenet", "images_largescale",
			"train_imagenet val_imagenet test_imagenet val_openimage_o test_ssb_hard test_ninco test_inaturalist " +
				"test_textures " +
				"test_openimage_o test_imagenet_v2 test_imagenet_c test_imagenet_r test_imagenet_es",
			"ssb_hard ninco", "inaturalist textures openimage_o", "imagenet_v2 imagenet_c imagenet_r imagenet_es",
		},
	} {
		lists := strings.Fields(c.lists)
		root := writeOpenOOD(t, c.benchmark, c.folder, lists...)
		b, err := OpenOOD(root, c.benchmark)
		require.NoError(t, err)
		require.Equal(t, []string{c.near, c.far, c.csid}, []string{names(b.Near), names(b.Far), names(b.CSID)})
		require.Empty(t, b.Missing)
		all := append([]OpenOODSet{{Name: "train", Data: b.Train}, {Name: "val", Data: b.Val},
			{Name: "test", Data: b.Test}, b.ValOOD}, b.Near...)
		all = append(append(all, b.Far...), b.CSID...)
		require.Len(t, all, len(lists))
		for i, s := range all {
			set, err := Open(s.Data)
			require.NoError(t, err, s.Name)
			img, err := set.Image(0)
			require.NoError(t, err)
			require.Equal(t, uint8(i), img.Pix[0], "%s reads the picture of %s", s.Name, lists[i])
			require.NoError(t, set.Close())
		}
		if c.csid != "" {
			last := lists[len(lists)-1]
			require.NoError(t, os.RemoveAll(filepath.Join(root, c.folder, last)))
			b, err := OpenOOD(root, c.benchmark)
			require.NoError(t, err)
			require.Len(t, b.Missing, 1)
			require.True(t, strings.HasSuffix(c.csid, b.Missing[0]))
		}
		require.NoError(t, os.Remove(filepath.Join(root, "benchmark_imglist", c.benchmark, lists[4]+".txt")))
		_, err = OpenOOD(root, c.benchmark)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, lists[4]+".txt")
	}
	_, err := OpenOOD(t.TempDir(), "mnist")
	require.EqualError(t, err,
		`OpenOOD benchmark: expected one of cifar10, cifar100, imagenet, imagenet200, got "mnist"`)
}
