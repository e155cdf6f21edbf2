package dataset

import (
	"bytes"
	"encoding/binary"
	"image/color"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/ostest"
)

// Order and labels are those of torchvision's ImageFolder: classes by name, then folders by their whole path
// ("a-b" before "a/b"), then files by name, all in byte order.
func TestFolderOrder(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{
		"Zebra/1.png", "Zebra/10.png", "Zebra/2.png", "ant/b.png", "ant/a-b/x.png", "ant/a/z.png", "ant/a/b/c.png",
		"ätzend/1.png",
	} {
		put(t, dir, name, dot(t, i))
	}
	d := mustOpen(t, dir)
	require.Equal(t, []string{"Zebra", "ant", "ätzend"}, d.Classes())
	require.Equal(t, []string{"Zebra/1.png", "Zebra/10.png", "Zebra/2.png",
		"ant/b.png", "ant/a/z.png", "ant/a-b/x.png", "ant/a/b/c.png", "ätzend/1.png"}, ids(d))
	require.Equal(t, []int{0, 0, 0, 1, 1, 1, 1, 2}, d.Labels())
	require.Equal(t, []int{0, 1, 2, 3, 5, 4, 6, 7}, reds(t, d))
	require.Equal(t, dir, d.Name())
	_, err := d.Image(8)
	require.ErrorContains(t, err, "expected an image from 0 to 7, got 8")
}

func TestFolderFlat(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "b.png", dot(t, 2))
	put(t, dir, "a.picture", dot(t, 1)) // a picture, recognised by its content
	put(t, dir, "README.MD", []byte("about"))
	put(t, dir, "list.txt", []byte("a b"))
	put(t, dir, "c.csv", nil)
	put(t, dir, "d.json", nil)
	put(t, dir, "thumbs.DB", nil)
	put(t, dir, ".DS_Store", []byte("x"))
	put(t, dir, ".hidden/x.png", []byte("x"))
	put(t, dir, "photo.txt", dot(t, 3)) // a picture despite its name
	d := mustOpen(t, "folder:"+dir)
	require.Equal(t, []string{"a.picture", "b.png", "photo.txt"}, ids(d))
	require.Nil(t, d.Labels())
	require.Nil(t, d.Classes())
	require.Equal(t, []int{1, 2, 3}, reds(t, d))
}

func TestFolderSinglePicture(t *testing.T) {
	file := put(t, t.TempDir(), "some where/cat.png", pngOf(t, 2, 3, color.NRGBA{R: 1, G: 2, B: 3, A: 4}))
	for _, spec := range []string{file, "folder:" + file} {
		d := mustOpen(t, spec)
		require.Equal(t, []string{"cat.png"}, ids(d))
		img, err := d.Image(0)
		require.NoError(t, err)
		require.Equal(t, Image{Pix: bytes.Repeat([]byte{1, 2, 3}, 6), Height: 2, Width: 3}, img)
	}
}

func TestFolderRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string][]byte
		want  string
	}{
		{"empty", nil, "no images"},
		{"side files only", map[string][]byte{"a.txt": nil}, "no images"},
		{"empty class", map[string][]byte{"cat/1.png": dot(t, 1), "dog/about.txt": nil},
			"class folder %s/dog holds no pictures"},
		{"mixed", map[string][]byte{"cat/1.png": dot(t, 1), "2.png": dot(t, 1)},
			"%s: expected class folders or loose pictures, got both: such as cat and 2.png"},
		{"one other", map[string][]byte{"a.png": dot(t, 1), "b.png": []byte("text")},
			"%s: 1 of 2 files are not JPEG, PNG, GIF, BMP or WebP pictures: b.png"},
		{"others", map[string][]byte{"c/1": nil, "c/2": nil, "c/d/3": nil, "c/4": nil, "e/5.tiff": []byte("II*\x00"),
			"e/6": dot(t, 1)},
			"%s: 5 of 6 files are not JPEG, PNG, GIF, BMP or WebP pictures: c/1, c/2, c/4 and 2 more"},
	} {
		dir := t.TempDir()
		for name, data := range c.files {
			put(t, dir, name, data)
		}
		_, err := Open(dir)
		require.ErrorContains(t, err, string(bytes.ReplaceAll([]byte(c.want), []byte("%s"), []byte(dir))), c.name)
	}
}

// TestFolderLinks: links are followed, also to classes and in cycles. A link to nothing is an error, and a pipe is
// not opened.
func TestFolderLinks(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	put(t, dir, "cat/1.png", dot(t, 1))
	put(t, other, "2.png", dot(t, 2))
	require.NoError(t, os.Symlink(other, dir+"/dog"))
	require.NoError(t, os.Symlink(other+"/2.png", dir+"/cat/3.png"))
	require.NoError(t, os.Symlink("..", dir+"/cat/up"))
	require.NoError(t, os.Symlink(".", dir+"/cat/self"))
	require.NoError(t, os.Symlink(other, dir+"/cat/away"))
	require.NoError(t, os.Symlink(dir+"/cat", other+"/back"))
	d := mustOpen(t, dir)
	require.Equal(t, []string{"cat/1.png", "cat/3.png", "cat/away/2.png", "dog/2.png", "dog/back/1.png",
		"dog/back/3.png"}, ids(d))

	require.NoError(t, os.Symlink(dir+"/none", dir+"/cat/broken.png"))
	_, err := Open(dir)
	require.ErrorContains(t, err, "cat/broken.png: no such file")
	require.NoError(t, os.Remove(dir+"/cat/broken.png"))
	ostest.Mkfifo(t, dir+"/cat/pipe.png")
	_, err = Open(dir)
	require.ErrorContains(t, err,
		"2 of 8 files are not JPEG, PNG, GIF, BMP or WebP pictures: cat/pipe.png, dog/back/pipe.png")
}

// A damaged picture is an error when the picture is read; the error names the file.
func TestFolderDamagedPicture(t *testing.T) {
	dir := t.TempDir()
	whole := dot(t, 1)
	cut := put(t, dir, "cut.png", whole[:len(whole)-20])
	gone := put(t, dir, "gone.png", whole)
	huge := bytes.Clone(whole)
	binary.BigEndian.PutUint32(huge[16:], 20000)
	binary.BigEndian.PutUint32(huge[20:], 20000)
	bomb := put(t, dir, "huge.png", huge)
	d := mustOpen(t, dir)
	require.NoError(t, os.Remove(gone))
	_, err := d.Image(0)
	require.ErrorContains(t, err, cut+": PNG: ")
	_, err = d.Image(1)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, gone)
	_, err = d.Image(2)
	require.ErrorContains(t, err, bomb+": PNG: 20000x20000 pixels are above the limit of 178956970 pixels")
}
