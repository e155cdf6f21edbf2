package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/ostest"
	"github.com/line-ood/goline/nets"
)

// tarMember is a member of an archive to write.
type tarMember struct {
	tar.Header
	data []byte
}

func inTar(name string, data []byte) tarMember {
	return tarMember{tar.Header{Name: name, Mode: 0o444, Typeflag: tar.TypeReg, Size: int64(len(data))}, data}
}

// tarOf returns an archive with 2 blocks of zeros at its end.
func tarOf(t testing.TB, members ...tarMember) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		require.NoError(t, w.WriteHeader(&m.Header))
		_, err := w.Write(m.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// webDataset returns a shard as webdataset's TarWriter writes it: the parts of each sample in the order of their
// extensions, owned by the user bigdata, and zeros up to a multiple of 10,240 bytes, as Python's tarfile writes.
func webDataset(t testing.TB, samples ...map[string][]byte) []byte {
	t.Helper()
	var members []tarMember
	for _, s := range samples {
		var endings []string
		for ending := range s {
			if ending != "__key__" {
				endings = append(endings, ending)
			}
		}
		slices.Sort(endings)
		for _, ending := range endings {
			m := inTar(string(s["__key__"])+"."+ending, s[ending])
			m.Format, m.Uname, m.Gname = tar.FormatUSTAR, "bigdata", "bigdata"
			members = append(members, m)
		}
	}
	b := tarOf(t, members...)
	const record = 10240
	return append(b, make([]byte, (record-len(b)%record)%record)...)
}

// TestTarEqualsFolder: pictures of every kind in shards have the bits of those in a folder, in any order, from
// several goroutines and as batches.
func TestTarEqualsFolder(t *testing.T) {
	const folder = "testdata/pictures"
	files, err := filepath.Glob(folder + "/*.[jpgbw]*")
	require.NoError(t, err)
	dir := t.TempDir()
	var shards [2][]map[string][]byte
	var names []string
	for _, file := range files {
		if filepath.Ext(file) == ".npy" || strings.Count(filepath.Base(file), ".") != 1 {
			continue
		}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		base := filepath.Base(file)
		put(t, dir, "flat/"+base, data)
		names = append(names, base)
	}
	require.Greater(t, len(names), 40)
	for i, base := range names {
		data, err := os.ReadFile(dir + "/flat/" + base)
		require.NoError(t, err)
		key, ending, _ := strings.Cut(base, ".")
		k := i * len(shards) / len(names)
		shards[k] = append(shards[k], map[string][]byte{
			"__key__": []byte(fmt.Sprintf("train/%03d_%s", i, key)), ending: data, "cls": []byte(fmt.Sprint(i % 7)),
			"json": []byte("{}"),
		})
	}
	for k, s := range shards {
		put(t, dir, fmt.Sprintf("shard-%06d.tar", k), webDataset(t, s...))
	}
	want, got := mustOpen(t, dir+"/flat"), mustOpen(t, dir+"/shard-*.tar")
	require.Equal(t, len(names), got.Len())
	require.Nil(t, got.Classes())
	require.Equal(t, "shard-000000.tar/train/000_"+names[0], got.ID(0))
	require.Equal(t, fmt.Sprintf("shard-000001.tar/train/%03d_%s", len(names)-1, names[len(names)-1]),
		got.ID(len(names)-1))
	for i, label := range got.Labels() {
		require.Equal(t, i%7, label)
	}
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for _, i := range rand.New(rand.NewPCG(1, uint64(g))).Perm(len(names)) {
				a, err := want.Image(i)
				b, err2 := got.Image(i)
				if err != nil || err2 != nil || a.Height != b.Height || !bytes.Equal(a.Pix, b.Pix) {
					t.Errorf("%s: %v, %v", got.ID(i), err, err2)
				}
			}
		})
	}
	wg.Wait()
	batches := func(d Dataset) (x []float32) {
		for b, err := range Batches(context.Background(), d, nets.CIFAR(), BatchOptions{Size: 5, Workers: 2}) {
			require.NoError(t, err)
			x = append(x, b.X[:b.N*3*32*32]...)
		}
		return x
	}
	require.Equal(t, batches(want), batches(got))
}

// Members of a key need not be adjacent; members that are neither pictures nor labels are ignored.
func TestTarMembers(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("long/", 40) + "d"
	pax := inTar("ü/a.PNG", dot(t, 5))
	pax.PAXRecords = map[string]string{"GOLINE.note": "x"}
	file := put(t, dir, "x.tar", tarOf(t,
		tarMember{Header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header",
			PAXRecords: map[string]string{"comment": "c"}}},
		tarMember{Header: tar.Header{Name: "./", Typeflag: tar.TypeDir}},
		tarMember{Header: tar.Header{Name: "dir.jpg/", Typeflag: tar.TypeDir}},
		tarMember{Header: tar.Header{Name: "link", Linkname: "a.jpg", Typeflag: tar.TypeSymlink}},
		inTar("./b.cls", []byte(" 12\n")),
		inTar("notes", []byte("text")),
		inTar("._b.jpg", []byte("no picture")),
		inTar("d/.jpg", []byte("no picture")),
		inTar("b.seg.png", []byte("no picture of b's")),
		pax,
		inTar("./b.jpeg", dot(t, 4)),
		inTar("dir.d/a.gif", dot(t, 6)),
		inTar(long+".bmp", dot(t, 7)),
		inTar("../up.webp", dot(t, 8)),
		inTar("dir.d/a.CLS", []byte("-1")),
	))
	for _, spec := range []string{file, "tar:" + file} {
		d := mustOpen(t, spec)
		require.Equal(t, []string{"x.tar/ü/a.PNG", "x.tar/b.jpeg", "x.tar/dir.d/a.gif", "x.tar/" + long + ".bmp",
			"x.tar/../up.webp"}, ids(d))
		require.Equal(t, []int{-1, 12, -1, -1, -1}, d.Labels())
		require.Equal(t, []int{5, 4, 6, 7, 8}, reds(t, d))
		_, err := d.Image(5)
		require.ErrorContains(t, err, "expected an image from 0 to 4, got 5")
		o, ok := OriginOf(d, 2)
		require.True(t, ok)
		require.Equal(t, Origin{File: file, Format: "tar", Record: 2}, o)
	}
	unknown := mustOpen(t, put(t, dir, "y.tar", tarOf(t, inTar("a.png", dot(t, 1)), inTar("a.cls", []byte("-1")))))
	require.Nil(t, unknown.Labels(), "no label is known")
	one := mustOpen(t, put(t, dir, "one.tar", tarOf(t, inTar("a.png", dot(t, 1)))))
	require.Nil(t, one.Labels())
	require.Equal(t, []int{-1, 12, -1, -1, -1, -1}, mustOpen(t, dir+"/[xy].tar").Labels())
	oldest := tarOf(t, inTar("a.png", dot(t, 1)))
	clear(oldest[157:tarBlock]) // fields that the first version of the format did not have
	fixTarChecksum(oldest)
	require.Equal(t, []string{"oldest/a.png"}, ids(mustOpen(t, put(t, dir, "oldest", oldest))))
}

func TestTarRefuses(t *testing.T) {
	dir := t.TempDir()
	picture := inTar("k/a.png", dot(t, 1))
	cls := func(text string) []byte { return tarOf(t, picture, inTar("k/a.cls", []byte(text))) }
	whole := tarOf(t, picture, inTar("b.json", make([]byte, 600)))
	const header = 512
	sparse := bytes.Clone(tarOf(t, picture))
	sparse[156] = tar.TypeGNUSparse
	copy(sparse[257:], "ustar  \x00")
	clear(sparse[345:header])
	copy(sparse[483:], fmt.Sprintf("%011o", len(picture.data))) // real size
	fixTarChecksum(sparse)
	huge := bytes.Clone(whole)
	copy(huge[124:], fmt.Sprintf("%011o\x00", maxPictureFile+1))
	fixTarChecksum(huge)
	long := bytes.Clone(whole)
	copy(long[124:], fmt.Sprintf("%011o\x00", 4000))
	fixTarChecksum(long)
	paxSparse := tarOf(t, tarMember{tar.Header{Name: "k/a.png", Size: 3, Typeflag: tar.TypeReg,
		PAXRecords: map[string]string{"OLD.sparse.major": "2"}}, []byte("abc")})
	paxSparse = bytes.Replace(paxSparse, []byte("OLD.sparse.major"), []byte("GNU.sparse.major"), 1)
	ends := len(whole) - 2*header
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"two pictures", tarOf(t, picture, inTar("k/b.jpg", dot(t, 1)), inTar("k/a.jpg", dot(t, 1))),
			"member k/a.jpg: expected one picture for each key, got k/a.png before with the key k/a"},
		{"two labels", tarOf(t, picture, inTar("k/a.cls", []byte("1")), inTar("k/a.CLS", []byte("1"))),
			"member k/a.CLS: expected one label for each key, got k/a.cls before"},
		{"label alone", tarOf(t, picture, inTar("c.cls", []byte("1")), inTar("c.tiff", []byte("II*"))),
			"member c.cls: expected a picture beside the label, c with one of the endings jpg, jpeg, png, webp, bmp, " +
				"gif"},
		{"no number", cls("cat"), `member k/a.cls: expected a class index as label, or -1 for unknown, got "cat"`},
		{"empty label", cls(""), `expected a class index as label, or -1 for unknown, got ""`},
		{"fraction", cls("1.0"), `got "1.0"`},
		{"below", cls("-2"), `got "-2"`},
		{"beyond", cls("3000000000"), `got "3000000000"`},
		{"long label", cls(strings.Repeat("0", 65)), "member k/a.cls: expected at most 64 bytes, got 65"},
		{"link", tarOf(t, picture, tarMember{Header: tar.Header{Name: "b.jpg", Linkname: "k/a.png",
			Typeflag: tar.TypeLink}}),
			"member b.jpg: expected a plain file, got a link or a device (type '1')"},
		{"sparse", sparse, "member k/a.png: expected a plain file, got a sparse one of GNU tar"},
		{"huge", huge, "member k/a.png: expected at most 1073741824 bytes, got 1073741825"},
		{"beyond the end", long, "member k/a.png: the archive is cut off: expected 4000 bytes, got "},
		{"cut in a picture", whole[:header+20], "member k/a.png: the archive is cut off: expected"},
		{"cut in another", whole[:ends-700], "the archive is cut off behind member b.json: unexpected EOF"},
		{"cut in a header", whole[:3*header-100], "the archive is cut off behind member k/a.png: unexpected EOF"},
		{"cut between members", whole[:2*header],
			"the archive is cut off behind member k/a.png: unexpected EOF: expected blocks of zeros"},
		{"cut in padding", whole[:ends-10], "the archive is cut off behind member b.json"},
		{"cut in front of the end", whole[:ends], "the archive is cut off behind member b.json"},
		{"cut at once", whole[:100], "the archive is cut off at its beginning: unexpected EOF"},
		{"two archives", slices.Concat(whole, make([]byte, 8192), whole),
			"behind member b.json: expected nothing after the blocks of zeros"},
		{"damaged", append([]byte("k"), whole[1+header:]...),
			"expected the header of a tar archive at its beginning: archive/tar: invalid tar header"},
		{"damaged behind", slices.Concat(whole[:2*header], []byte("x"), whole[2*header+1:]),
			"expected the header of a tar archive behind member k/a.png"},
		{"no pictures", tarOf(t, inTar("a", nil), inTar("a.tiff", nil), inTar("b.txt", nil), inTar("c.txt", nil)),
			"no images: expected members KEY.jpg, or with one of the endings jpeg, png, webp, bmp, gif behind the " +
				"first dot, got members such as a, a.tiff, b.txt"},
		{"no members", make([]byte, 1024),
			"no images: expected members KEY.jpg, or with one of the endings jpeg, png, webp, bmp, gif behind the " +
				"first dot, got no members"},
		{"empty", nil, "the archive is cut off at its beginning"},
		{"gzip", gz(t, whole), "expected a tar archive without compression, got gzip"},
		{"sparse by a record", paxSparse, "member k/a.png: expected a plain file, got a sparse one of GNU tar"},
	} {
		file := put(t, dir, "x.tar", c.data)
		d, err := Open("tar:" + file)
		require.ErrorContains(t, err, c.want, c.name)
		require.ErrorContains(t, err, file+": ", c.name)
		require.NotContains(t, err.Error(), "\n", c.name)
		require.Nil(t, d)
	}
	_, err := Open(put(t, dir, "x.tar.gz", gz(t, whole)))
	require.ErrorContains(t, err,
		"x.tar.gz: expected a tar archive without compression, got gzip: pictures are read at their offsets")
	_, err = OpenWith(put(t, dir, "y.tar", cls("7")), OpenOptions{Classes: []Class{{ID: "a", Name: "a"}}})
	require.ErrorContains(t, err, "y.tar: image y.tar/k/a.png: expected a label of 1 classes, got 7")
	ostest.Mkfifo(t, dir+"/pipe")
	_, err = Open("tar:" + dir + "/pipe")
	require.ErrorContains(t, err, dir+"/pipe: not a regular file: pictures are read at their offsets, which a pipe "+
		"does not have")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = OpenContext(ctx, dir+"/y.tar", OpenOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

// A damaged picture, and an archive that was truncated later, are errors when a picture is read; the error names
// archive and member.
func TestTarDamagedPicture(t *testing.T) {
	whole := dot(t, 1)
	file := put(t, t.TempDir(), "x.tar", tarOf(t, inTar("cut.png", whole[:len(whole)-20]), inTar("empty.jpg", nil),
		inTar("b.png", whole)))
	d := mustOpen(t, file)
	_, err := d.Image(0)
	require.ErrorContains(t, err, file+", member cut.png: PNG: ")
	_, err = d.Image(1)
	require.ErrorContains(t, err, file+", member empty.jpg: not a JPEG")
	require.NoError(t, os.Truncate(file, 1100))
	_, err = d.Image(2)
	require.ErrorContains(t, err, file+", member b.png: unexpected EOF: the archive has become shorter")
}

// fixTarChecksum corrects the checksum of an archive's first header.
func fixTarChecksum(b []byte) {
	copy(b[148:156], "        ")
	sum := 0
	for _, v := range b[:tarBlock] {
		sum += int(v)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
}
