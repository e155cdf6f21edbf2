package dataset

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/ostest"
)

func TestSplitSpec(t *testing.T) {
	for spec, want := range map[string][2]string{
		"cifar10:a/b.bin":  {"cifar10", "a/b.bin"},
		"idx:a+b":          {"idx", "a+b"},
		"npy:C:/x.npy":     {"npy", "C:/x.npy"},
		"folder:a:b":       {"folder", "a:b"},
		"a/b.bin":          {"", "a/b.bin"},
		`C:\data\x`:        {"", `C:\data\x`},
		"C:x":              {"", "C:x"},
		"./folder:x":       {"", "./folder:x"},
		`dir\folder:x`:     {"", `dir\folder:x`},
		":x":               {"", ":x"},
		"helper_test.go":   {"", "helper_test.go"},
		"npz:*.npz":        {"npz", "*.npz"},
		"cifar100:a:b:c+d": {"cifar100", "a:b:c+d"},
	} {
		format, path, err := disk().splitSpec(spec)
		require.NoError(t, err, spec)
		require.Equal(t, want, [2]string{format, path}, spec)
	}
	for spec, want := range map[string]string{
		"":              "expected an argument, got none",
		"cifar10:":      `expected a path behind "cifar10:"`,
		"cifar:x":       `unknown format "cifar": expected one of cifar10, cifar100, folder, idx, list, npy, npz, tar`,
		"CIFAR10:x":     `unknown format "CIFAR10"`,
		"https://x.org": `unknown scheme "https": expected s3, gs, azblob, file or mem`,
	} {
		_, err := Open(spec)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, `open data "`+spec+`": `)
	}
}

// An existing path is never taken for a prefix, a pair or a pattern.
func TestOpenExistingPathFirst(t *testing.T) {
	t.Chdir(t.TempDir())
	one := npyFile(t, npyz.New([]uint8{5}, 1, 1, 1))
	for _, name := range []string{"odd:name.npy", "plus+sign.npy", "what?.npy", "set[1].npy", "*.npy"} {
		require.NoError(t, os.WriteFile(name, one, 0o644))
		require.Equal(t, 1, mustOpen(t, name).Len(), name)
	}
}

func TestOpenMissing(t *testing.T) {
	dir := t.TempDir()
	for spec, want := range map[string]string{
		dir + "/none": "none: file does not exist (formats tried: cifar10, cifar100, folder, idx, " +
			"list, npy, npz, tar)",
		"cifar10:" + dir + "/none":  "none: file does not exist (format tried: cifar10)",
		"idx:" + dir + "/none.gz":   "none.gz: file does not exist (format tried: idx, as images without labels)",
		"idx:" + dir + "/a+b":       "a+b: file does not exist (format tried: idx)",
		dir + "/*.png":              "no file or folder matches " + dir + "/*.png: file does not exist",
		"folder:" + dir + "/[a-z]*": "no file or folder matches",
	} {
		_, err := Open(spec)
		require.ErrorIs(t, err, fs.ErrNotExist, spec)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, `open data "`+spec+`"`)
	}
	_, err := Open("npy:" + dir + "/[")
	require.ErrorIs(t, err, filepath.ErrBadPattern)
}

func TestOpenWrongKind(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.txt", []byte("hello"))
	put(t, dir, "a.dat", []byte("hello"))
	for _, format := range []string{"cifar10", "cifar100", "idx", "list", "npy", "npz", "tar"} {
		_, err := Open(format + ":" + dir)
		require.ErrorContains(t, err, dir+": expected a file, or a pattern such as "+dir+"/*, got a folder")
	}
	_, err := Open(dir + "/a.dat")
	require.ErrorContains(t, err,
		"a.dat (5 bytes): unknown format: expected one of cifar10, cifar100, folder, idx, list, npy, npz, tar")
	_, err = Open(dir + "/a.txt")
	require.ErrorContains(t, err, `a.txt:1: expected a path and a label (-1 where it is unknown), got "hello"`)
	_, err = Open("folder:" + dir + "/a.txt")
	require.ErrorContains(t, err, "a.txt is not a picture")
	_, err = Open("folder:" + put(t, dir, "a.xyz", []byte("hello")))
	require.ErrorContains(t, err, "a.xyz: 1 of 1 files are not JPEG, PNG, GIF, BMP or WebP pictures: a.xyz")
	_, err = Open(put(t, dir, "text.gz", gz(t, []byte("hello"))))
	require.ErrorContains(t, err, "unknown format")
	ostest.Mkfifo(t, dir+"/pipe")
	_, err = Open(dir + "/pipe")
	require.ErrorContains(t, err, dir+"/pipe: not a regular file")
}

// Patterns join their matches in byte order; IDs are relative to the folder before the pattern.
func TestOpenPattern(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"batch_2.bin", "batch_10.bin", "Batch_3.bin"} {
		put(t, dir, "bin/"+name, cifarFile(1, byte(i), byte(i)))
	}
	d := mustOpen(t, "cifar10:"+dir+"/bin/*.bin")
	require.Equal(t, dir+"/bin/*.bin", d.Name())
	require.Equal(t, []int{2, 2, 1, 1, 0, 0}, d.Labels())
	require.Equal(t, cifar10.classes, d.Classes())
	require.Equal(t, []string{"Batch_3.bin#0", "Batch_3.bin#1", "batch_10.bin#0", "batch_10.bin#1", "batch_2.bin#0",
		"batch_2.bin#1"}, ids(d))
	require.Equal(t, 6, mustOpen(t, dir+"/bin/*").Len())
	require.Equal(t, []string{"batch_2.bin#0", "batch_2.bin#1"}, ids(mustOpen(t, dir+"/bin/*_2.bin")),
		"a pattern with one match")

	put(t, dir, "sets/a/1.png", dot(t, 1))
	put(t, dir, "sets/a-b/1.png", dot(t, 2))
	require.Equal(t, []string{"a-b/1.png", "a/1.png"}, ids(mustOpen(t, dir+"/sets/*/1.png")))

	put(t, dir, "pics/x/1.png", dot(t, 1))
	put(t, dir, "pics/y/1.png", dot(t, 2))
	put(t, dir, "pics/2.png", dot(t, 3))
	d = mustOpen(t, dir+"/pics/*")
	require.Equal(t, []string{"2.png", "x/1.png", "y/1.png"}, ids(d))
	require.Equal(t, []int{3, 1, 2}, reds(t, d))
	require.Nil(t, d.Labels())
	require.Equal(t, []string{"x/1.png", "y/1.png"}, ids(mustOpen(t, "folder:"+dir+"/pics/*/*.png")))

	put(t, dir, "pics/notes", []byte("no picture"))
	_, err := Open(dir + "/pics/*")
	require.ErrorContains(t, err, "pics/notes (10 bytes): unknown format")
}

func TestOpenPatternOfDifferentClasses(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a/cat/1.png", dot(t, 1))
	put(t, dir, "b/dog/1.png", dot(t, 1))
	_, err := Open(dir + "/*")
	require.ErrorContains(t, err, "a has the classes cat, but "+dir+"/b has dog")
	require.NoError(t, os.Rename(dir+"/b/dog", dir+"/b/cat"))
	require.Equal(t, []int{0, 0}, mustOpen(t, dir+"/*").Labels())
}
