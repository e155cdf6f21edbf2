package dataset

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/ostest"
)

func TestList(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "img/a b.png", dot(t, 1))
	put(t, dir, "img/c", dot(t, 2))
	other := put(t, t.TempDir(), "away.png", dot(t, 3))
	text := byteOrderMark + "\nimg/c 7\r\n  img/a b.png\t-1  \n" + other + " 0\n\nimg/c 2"
	file := put(t, dir, "list.txt", []byte(text))
	for _, spec := range []string{file, "list:" + file, "list:" + file + "+" + dir, file + "+" + dir} {
		d := mustOpen(t, spec)
		require.Equal(t, []string{"img/c", "img/a b.png", other, "img/c"}, ids(d), spec)
		require.Equal(t, []int{7, -1, 0, 2}, d.Labels())
		require.Nil(t, d.Classes())
		require.Equal(t, []int{2, 1, 3, 2}, reds(t, d))
	}
	file = put(t, dir, "other.lst", []byte("c -1\na b.png -1"))
	d := mustOpen(t, "list:"+file+"+"+dir+"/img")
	require.Equal(t, []int{2, 1}, reds(t, d))
	require.Nil(t, d.Labels(), "no label is known")
	_, err := Open(file)
	require.ErrorContains(t, err, "unknown format", "the name does not say it")
}

// TestLists opens several lists in one argument; the IDs differ by the list's folder.
func TestLists(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "one/1.png", dot(t, 1))
	put(t, dir, "two/1.png", dot(t, 2))
	put(t, dir, "one/l.txt", []byte("1.png 5"))
	put(t, dir, "two/l.txt", []byte("1.png -1"))
	d := mustOpen(t, dir+"/*/l.txt")
	require.Equal(t, []string{"one/1.png", "two/1.png"}, ids(d))
	require.Equal(t, []int{5, -1}, d.Labels())
	require.Equal(t, []int{1, 2}, reds(t, d))
	d = mustOpen(t, dir+"/*/l.txt+"+dir+"/two")
	require.Equal(t, []string{"1.png", "1.png"}, ids(d))
	require.Equal(t, []int{2, 2}, reds(t, d))
}

func TestListRefuses(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.png", dot(t, 1))
	put(t, dir, "text", []byte("text"))
	ostest.Mkfifo(t, dir+"/pipe")
	file := filepath.Join(dir, "l.txt")
	for text, want := range map[string]string{
		"":               file + ": no images",
		" \n\n":          file + ": no images",
		"a.png 1\na.png": file + `:2: expected a path and a label (-1 where it is unknown), got "a.png"`,
		"\n\na.png cat": file +
			`:3: expected a class index as label behind the path, or -1 for unknown, got "cat"`,
		"a.png 1.0": file + `:1: expected a class index`,
		"a.png -2": file +
			`:1: expected a class index as label behind the path, or -1 for unknown, got "-2"`,
		"a.png 99999999999": file + `:1: expected a class index`,
		"a.png {'label': 3}": file +
			`:1: expected a class index as label behind the path, or -1 for unknown, got "3}"`,
		"a\x00.png 3":                  file + `:1: expected the path of a picture, got "a\x00.png"`,
		strings.Repeat("a", 200):       "aaa…",
		"a.png 1\nb.png 2\na.png 3":    file + ":2: ",
		"b.png 2\nc.png 2\nd.png 3":    "(and 2 more lines of 3)",
		"a.png 0\ntext 1":              file + ":2: " + dir + "/text is not a JPEG, PNG, GIF, BMP or WebP picture",
		"pipe 1":                       file + ":1: " + dir + "/pipe is not",
		". 1":                          file + ":1: " + dir + " is not",
		"a.png 0\na.png 1\n../l.txt 1": file + ":3: ",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		_, err := Open(file)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, `open data "`+file+`": `+file)
	}
	require.NoError(t, os.WriteFile(file, []byte("b.png 2"), 0o644))
	_, err := Open(file)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for spec, want := range map[string]string{
		"list:" + file + "+" + dir + "/none":  dir + "/none does not: file does not exist",
		"list:" + file + "+" + dir + "/a.png": dir + "/a.png: expected a folder of the pictures of " + file,
		"list:" + dir + "/none.txt":           "none.txt: file does not exist (format tried: list)",
	} {
		_, err := Open(spec)
		require.ErrorContains(t, err, want)
	}
	_, err = OpenFS(os.DirFS(dir), "l.txt")
	require.ErrorContains(t, err, "l.txt:1: ")
	require.NoError(t, os.WriteFile(file, []byte("../b.png 2"), 0o644))
	_, err = OpenFS(os.DirFS(dir), "l.txt")
	require.ErrorContains(t, err, "l.txt:1: ../b.png: invalid argument: expected a path below the root")
}

// TestListReads: a list that is removed while its set is open, and the paths to which a file would be written over
// it.
func TestListReads(t *testing.T) {
	dir := t.TempDir()
	img := put(t, dir, "img/a.png", dot(t, 1))
	file := put(t, dir, "l.txt", []byte("img/a.png 0"))
	for path, want := range map[string]bool{
		file: true, img: true, dir + "/img/b.png": false, dir + "/m.txt": true, dir + "/m.npy": false,
		dir + "/img/../img/a.png": true,
	} {
		reads, err := Includes(dir+"/*.txt", path)
		require.NoError(t, err)
		require.Equal(t, want, reads, path)
	}
}

// A list is read back as it was written.
func TestParseListRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`[^\s\x00\x{FEFF}]([^\n\r\x00]{0,20}[^\s\x00])?`)
	rapid.Check(t, func(t *rapid.T) {
		var want imageList
		var b strings.Builder
		n := 0
		for range rapid.IntRange(1, 9).Draw(t, "images") {
			for range rapid.IntRange(0, 2).Draw(t, "empty lines") {
				n++
				b.WriteString(rapid.SampledFrom([]string{"\n", " \r\n"}).Draw(t, "empty"))
			}
			n++
			file, label := name.Draw(t, "path"), rapid.IntRange(-1, 2000).Draw(t, "label")
			if strings.TrimSpace(file) != file { // Unicode white space
				file = "x"
			}
			want.files, want.labels, want.lines = append(want.files, file), append(want.labels, label),
				append(want.lines, n)
			fmt.Fprintf(&b, "%s%s%d%s", file, rapid.SampledFrom([]string{" ", "\t", "  "}).Draw(t, "gap"), label,
				rapid.SampledFrom([]string{"\n", "\r\n", " \n"}).Draw(t, "end"))
		}
		got, err := parseList("list", b.String())
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// Any bytes are a list with ascending lines, or an error that names the file.
func FuzzParseList(f *testing.F) {
	f.Add("a.png 3\nb c.png -1\n")
	f.Add("\uFEFFa\t0\r\n\r\nx")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseList("the list", text)
		if err != nil {
			require.ErrorContains(t, err, "the list:")
			return
		}
		require.Len(t, l.labels, len(l.files))
		require.Len(t, l.lines, len(l.files))
		for i, file := range l.files {
			require.NotEmpty(t, file)
			require.GreaterOrEqual(t, l.labels[i], -1)
			require.True(t, i == 0 || l.lines[i] > l.lines[i-1])
		}
	})
}
