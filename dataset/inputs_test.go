package dataset

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
)

// everyFormat creates one set of each format in the working folder and returns the arguments that open them.
func everyFormat(t testing.TB) map[string][]string {
	put(t, ".", "cifar/a.bin", cifarFile(1, 1, 2))
	put(t, ".", "cifar/b.bin", cifarFile(1, 3))
	put(t, ".", "cifar100.bin", cifarFile(2, 99, 3))
	put(t, ".", "idx/x-images", idxFile(2, 1, 3))
	put(t, ".", "idx/y-images.gz", gz(t, idxFile(1, 2, 2, 3)))
	put(t, ".", "idx/x-labels", idxFile(2))
	put(t, ".", "idx/y-labels.gz", gz(t, idxFile(1)))
	put(t, ".", "grey.npy", npyFile(t, npyz.New(counting(12), 3, 2, 2)))
	put(t, ".", "flipped.npy",
		[]byte("\x93NUMPY\x01\x00\x47\x00{'descr': '|u1', 'fortran_order': True, 'shape': (1, 1, 2, 3), }      "+
			"\n123456"))
	data, err := os.ReadFile(npzFile(t, npyz.Named{Name: "x", Array: npyz.New(counting(12), 1, 2, 2, 3)},
		npyz.Named{Name: "y", Array: npyz.New([]int64{3}, 1)}))
	require.NoError(t, err)
	put(t, ".", "all.npz", data)
	put(t, ".", "flat/a.jpg", dot(t, 1))
	put(t, ".", "flat/b", dot(t, 2))
	put(t, ".", "flat/.hidden/c.png", dot(t, 3))
	put(t, ".", "flat/notes.txt", []byte("text"))
	put(t, ".", "classes/cat/deep/1.png", dot(t, 4))
	put(t, ".", "classes/cat/2.png", dot(t, 5))
	put(t, ".", "classes/dog/3.png", dot(t, 6))
	put(t, ".", "lists/a.txt", []byte("../flat/a.jpg 3\n../classes/dog/3.png -1\n"))
	put(t, ".", "lists/b.txt", []byte("../flat/b 1"))
	put(t, ".", "lists/root.lst", []byte("cat/2.png 0"))
	put(t, ".", "shards/a-0.tar", tarOf(t, inTar("x.png", dot(t, 7)), inTar("x.cls", []byte("2"))))
	put(t, ".", "shards/a-1.tar", tarOf(t, inTar("y.png", dot(t, 8))))
	return map[string][]string{
		"shards/a-0.tar":              {"shards/a-0.tar"},
		"tar:shards/a-1.tar":          {"shards/a-1.tar"},
		"shards/a-*.tar":              {"shards/a-0.tar", "shards/a-1.tar"},
		"lists/a.txt":                 {"lists/a.txt", "flat/a.jpg", "classes/dog/3.png"},
		"lists/*.txt":                 {"lists/a.txt", "flat/a.jpg", "classes/dog/3.png", "lists/b.txt", "flat/b"},
		"list:lists/root.lst+classes": {"lists/root.lst", "classes/cat/2.png"},
		"lists/[r-z]*.lst+classes":    {"lists/root.lst", "classes/cat/2.png"},
		"cifar10:cifar/a.bin":         {"cifar/a.bin"},
		"cifar/*.bin":                 {"cifar/a.bin", "cifar/b.bin"},
		"cifar100.bin":                {"cifar100.bin"},
		"idx:idx/x-images":            {"idx/x-images"},
		"idx/x-images+idx/x-labels":   {"idx/x-images", "idx/x-labels"},
		"idx:idx/y-images.gz":         {"idx/y-images.gz"},
		"idx/?-images*+idx/?-labels*": {"idx/x-images", "idx/x-labels", "idx/y-images.gz", "idx/y-labels.gz"},
		"grey.npy":                    {"grey.npy"},
		"npy:flipped.npy":             {"flipped.npy"},
		"*.npy":                       {"flipped.npy", "grey.npy"},
		"npz:all.npz":                 {"all.npz"},
		"flat":                        {"flat/a.jpg", "flat/b"},
		"flat/a.jpg":                  {"flat/a.jpg"},
		"flat/[ab]*":                  {"flat/a.jpg", "flat/b"},
		"folder:classes":              {"classes/cat/2.png", "classes/cat/deep/1.png", "classes/dog/3.png"},
		"classes/*":                   {"classes/cat/deep/1.png", "classes/cat/2.png", "classes/dog/3.png"},
	}
}

// Files lists the files of each format that Open reads, and Includes is true for these files only.
func TestFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	specs := everyFormat(t)
	delete(specs, "classes/*") // its folders have different classes and cannot be joined
	var all []string
	require.NoError(t, filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			all = append(all, path)
		}
		return err
	}))
	for spec, want := range specs {
		files, err := Files(spec)
		require.NoError(t, err)
		require.Equal(t, want, files, spec)
		mustOpen(t, spec)
		for _, file := range all {
			reads, err := Includes(spec, file)
			require.NoError(t, err)
			require.Equal(t, slices.Contains(want, file), reads, "%s: %s", spec, file)
		}
	}
	abs, err := filepath.Abs("classes")
	require.NoError(t, err)
	files, err := Files(abs)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(abs, "cat/2.png"), files[0])
}

// A file that does not exist counts where it would be read.
func TestReadsNewFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	everyFormat(t)
	require.NoError(t, os.Mkdir("elsewhere", 0o755))
	require.NoError(t, os.Symlink("classes/dog", "kennel"))
	require.NoError(t, os.Symlink("../flat/a.jpg", "elsewhere/a"))
	for _, c := range []struct {
		spec, path string
		want       bool
	}{
		{"flat", "flat/new.jpg", true},
		{"flat", "flat/det.npz", true},
		{"flat", filepath.Join(dir, "flat", "new.jpg"), true},
		{"flat", "./elsewhere/../flat/new.jpg", true},
		{"flat", "flat/scores.csv", false},
		{"flat", "flat/.new", false},
		{"flat", "flat/none/new.jpg", false},
		{"flat", "flat.jpg", false},
		{"flat", "elsewhere/a", true}, // a link to a picture
		{"flat/a.jpg", "flat/new.jpg", false},
		{"flat/*.jpg", "flat/new.jpg", true},
		{"flat/*.jpg", "flat/new.png", false},
		{"f*/*.jpg", "flat/new.jpg", true},
		{"classes", "classes/new.npz", true},
		{"classes", "classes/cat/deep/new.png", true},
		{"classes", "kennel/new.png", true},
		{"folder:classes", "classes/dog/3.png", true},
		{"folder:classes", "kennel/3.png", true},
		{"cifar/*.bin", "cifar/c.bin", true},
		{"cifar/*.bin", "cifar/c.npz", false},
		{"cifar/a.bin", "cifar/c.bin", false},
		{"idx/?-images*+idx/?-labels*", "idx/z-labels", true},
		{"idx/?-images*+idx/?-labels*", "idx/z", false},
		{"idx/x-images+idx/x-labels", "idx/x-labels", true},
	} {
		got, err := Includes(c.spec, c.path)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%s: %s", c.spec, c.path)
	}
}

func TestFilesRefuse(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, ".", "junk/a.jpg", []byte("text"))
	require.NoError(t, os.Mkdir("empty", 0o755))
	for spec, want := range map[string]string{
		"":              "expected an argument, got none",
		"none":          "none: file does not exist",
		"*.bin":         "no file or folder matches *.bin",
		"tiff:junk":     `unknown format "tiff"`,
		"cifar10:junk":  "junk: expected a file, or a pattern such as junk/*, got a folder",
		"junk":          "1 of 1 files are not JPEG",
		"empty":         "no images",
		"idx:junk+none": "junk exists, but none does not",
	} {
		_, err := Files(spec)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "files of data")
	}
	_, err := Files("empty")
	require.ErrorIs(t, err, ErrNoImages)
	_, err = Files("tiff:junk")
	require.ErrorIs(t, err, ErrFormat)
	_, err = Includes("none", "x")
	require.ErrorIs(t, err, fs.ErrNotExist)
	reads, err := Includes("junk", "junk/a.jpg")
	require.NoError(t, err)
	require.True(t, reads, "what the folder cannot be read for")
}
