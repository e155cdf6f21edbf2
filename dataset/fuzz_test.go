package dataset

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/damage"
	"github.com/line-ood/goline/internal/npyz"
)

func FuzzSplitSpec(f *testing.F) {
	for _, spec := range []string{"cifar10:a", "a:b", "C:\\x", "::", "idx:a+b", "x", ""} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		format, path, err := disk().splitSpec(spec)
		switch {
		case err != nil:
			if format != "" || path != "" {
				t.Fatalf("%q, %q beside the error %v", format, path, err)
			}
		case format == "":
			require.Equal(t, spec, path)
		default:
			require.True(t, slices.Contains(formats, format))
			require.Equal(t, spec, format+":"+path)
		}
	})
}

// FuzzOpen: any argument gives a set or an error, in a folder with unusual file names.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	put(f, dir, "a+b", idxFile(2, 1, 1))
	put(f, dir, "a", idxFile(2, 1, 1))
	put(f, dir, "b", idxFile(2))
	put(f, dir, "[x]*", idxFile(1, 1, 1))
	put(f, dir, "pics/x/1.png", dot(f, 1))
	put(f, dir, "l.txt", []byte("pics/x/1.png 3\n"))
	f.Chdir(dir)
	for _, spec := range []string{"l.txt", "list:l.txt+pics", "*.txt+pics", "a+b", "a+a+b", "*", "idx:?+?", "pics",
		"folder:pics/*", "npy:[", "[x]*", "[[]x*", "../", "a/b"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if strings.ContainsRune(spec, '/') {
			return // do not leave the folder
		}
		d, err := Open(spec)
		if err != nil {
			require.Nil(t, d)
			return
		}
		readAll(t, d)
	})
}

// readAll reads a set that was opened from arbitrary bytes.
func readAll(t *testing.T, d Dataset) {
	t.Helper()
	require.Positive(t, d.Len())
	if d.Labels() != nil {
		require.Len(t, d.Labels(), d.Len())
	}
	for _, i := range []int{0, d.Len() / 2, d.Len() - 1} {
		require.NotEmpty(t, d.ID(i))
		img, err := d.Image(i)
		if err == nil {
			require.Len(t, img.Pix, 3*img.Height*img.Width)
		}
	}
	require.NoError(t, d.Close())
}

// fuzzFile opens bytes with and without a prefix, from a tree with random access and from one that only gives
// streams. seed damages one of the seeds and corrects its checksums; 0 leaves the bytes unchanged.
func fuzzFile(f *testing.F, format string, seeds ...[]byte) {
	fuzzDamaged(f, format, damage.Zip, seeds...)
}

// fuzzDamaged is fuzzFile with damage that suits the format's checksums.
func fuzzDamaged(f *testing.F, format string, harm func([]byte, *rand.Rand) []byte, seeds ...[]byte) {
	for i, s := range seeds {
		f.Add(s, uint64(0))
		f.Add(s, uint64(i+1))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		if seed != 0 {
			data = harm(data, rand.New(rand.NewPCG(seed, 1)))
		}
		for _, spec := range []string{format + ":x", "x"} {
			d, err := OpenFS(fstest.MapFS{"x": {Data: data}}, spec)
			streamed, streamedErr := OpenFS(liar{data, int64(len(data)), nil}, spec)
			if (err == nil) != (streamedErr == nil) {
				t.Fatalf("%v, but %v", err, streamedErr)
			}
			if err != nil {
				if !strings.Contains(err.Error(), "x") {
					t.Fatal(err)
				}
				continue
			}
			readAll(t, streamed)
			readAll(t, d)
		}
	})
}

func FuzzCIFAR10(f *testing.F) {
	fuzzFile(f, "cifar10", cifarFile(1, 1), cifarFile(1, 10))
}

func FuzzCIFAR100(f *testing.F) {
	fuzzFile(f, "cifar100", cifarFile(2, 99))
}

func FuzzIdx(f *testing.F) {
	fuzzFile(f, "idx", idxFile(3, 2, 2), idxFile(1, 2, 1, 3), idxFile(5), gz(f, idxFile(3, 2, 2)))
}

func FuzzNpy(f *testing.F) {
	fuzzFile(f, "npy", npyFile(f, npyz.New(counting(12), 1, 2, 2, 3)), npyFile(f, npyz.New(counting(12), 3, 2, 2)),
		[]byte("\x93NUMPY\x01\x00\x47\x00{'descr': '|u1', 'fortran_order': True, 'shape': (1, 1, 2, 3), }      "+
			"\n123456"))
}

func FuzzNpz(f *testing.F) {
	data, err := os.ReadFile(npzFile(f, npyz.Named{Name: "x", Array: npyz.New(counting(12), 1, 2, 2, 3)},
		npyz.Named{Name: "y", Array: npyz.New([]int64{3}, 1)}))
	require.NoError(f, err)
	fuzzFile(f, "npz", data)
}

func FuzzTar(f *testing.F) {
	named := inTar("b.c.png", dot(f, 2))
	named.PAXRecords = map[string]string{"GOLINE.note": "x"}
	fuzzDamaged(f, "tar", damage.Tar, tarOf(f, inTar("a.png", dot(f, 1)), inTar("a.cls", []byte("3"))),
		tarOf(f, named, inTar("k/a.jpg", dot(f, 1))))
}
