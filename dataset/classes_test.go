package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/sharedtest"
)

func TestReadClasses(t *testing.T) {
	file := put(t, t.TempDir(), "classes.txt",
		[]byte(byteOrderMark+
			"n01440764 tench, Tinca tinca\r\nn02012849\tcrane\n n03126707  crane \nn00000001\ngreat white "+
			"shark\n7\tseven\nn0144076 x\n\n"))
	classes, err := ReadClasses(file)
	require.NoError(t, err)
	require.Equal(t, []Class{
		{"n01440764", "tench, Tinca tinca"}, {"n02012849", "crane"}, {"n03126707", "crane"}, {"n00000001", "n00000001"},
		{"great white shark", "great white shark"}, {"7", "seven"}, {"n0144076 x", "n0144076 x"},
	}, classes)
	require.Equal(t, []string{"tench, Tinca tinca", "crane (n02012849)", "crane (n03126707)", "n00000001",
		"great white shark", "seven", "n0144076 x"},
		ClassNames(classes))

	for text, want := range map[string]string{
		"":             file + ": expected a line for each class, got none",
		" \n\n":        file + ": expected a line for each class, got none",
		"a\n\nb":       file + ":2: expected a class, got an empty line",
		"a\nb\xff":     file + ":2: expected a class in UTF-8",
		"a\nb\na\tx\n": file + ":3: class a is in line 1 too",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		_, err := ReadClasses(file)
		require.EqualError(t, err, "class names: "+want, text)
	}
	_, err = ReadClasses(file + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadClasses(filepath.Dir(file))
	require.ErrorContains(t, err, "expected a file")
}

// A class file is read back as it was written.
func TestReadClassesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.StringMatching(`n[0-9]{8}`), rapid.StringMatching(`[a-z][a-z0-9 ]{0,8}[a-z0-9]`))
		name := rapid.StringMatching(`[A-Za-zäß][A-Za-z, ]{0,9}[a-z]`)
		ids := rapid.SliceOfNDistinct(id, 1, 9, rapid.ID[string]).Draw(t, "ids")
		var want []Class
		var b strings.Builder
		for _, id := range ids {
			c := Class{id, name.Draw(t, "name")}
			want = append(want, c)
			gap := "\t"
			if isWordNetID(id) {
				gap = rapid.SampledFrom([]string{" ", "\t"}).Draw(t, "gap")
			}
			fmt.Fprintf(&b, "%s%s%s\n", c.ID, gap, c.Name)
		}
		got, err := parseClasses("file", b.String())
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func FuzzParseClasses(f *testing.F) {
	f.Add("n01440764 tench\nn01443537\tgoldfish\ncat\n")
	f.Fuzz(func(t *testing.T, text string) {
		classes, err := parseClasses("the file", text)
		if err != nil {
			require.ErrorContains(t, err, "the file:")
			return
		}
		names := map[string]bool{}
		for _, c := range classes {
			require.NotEmpty(t, c.ID)
			require.NotEmpty(t, c.Name)
			names[c.ID] = true
		}
		require.Len(t, names, len(classes))
		require.Len(t, ClassNames(classes), len(classes))
	})
}

var birds = []Class{{"n1", "crane"}, {"n2", "hen"}, {"n3", "crane"}, {"n4", "jay"}}

// Labels are indices of the given classes, whatever the order of the folders and however few there are, also where
// parts of a set have different folders.
func TestOpenWithClasses(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a/n3/1.png", dot(t, 3))
	put(t, dir, "a/hen/1.png", dot(t, 2))
	put(t, dir, "b/n4/1.png", dot(t, 4))
	names := []string{"crane (n1)", "hen", "crane (n3)", "jay"}
	open := func(spec string) Dataset {
		d, err := OpenWith(spec, OpenOptions{Classes: birds})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, d.Close()) })
		return d
	}
	d := open(dir + "/a")
	require.Equal(t, []int{1, 2}, d.Labels())
	require.Equal(t, names, d.Classes())
	require.Equal(t, []string{"hen/1.png", "n3/1.png"}, ids(d))
	require.Equal(t, []int{2, 3}, reds(t, d))
	s := newScratch(t.Context(), nil)
	img, err := imageInto(d, 1, s)
	require.NoError(t, err)
	require.Equal(t, uint8(3), img.Pix[0])
	require.NotNil(t, s.buf, "memory is used again")

	d = open(dir + "/?")
	require.Equal(t, []int{1, 2, 3}, d.Labels())
	require.Equal(t, names, d.Classes())
	_, err = Open(dir + "/?")
	require.ErrorContains(t, err, "join data sets")

	list := put(t, dir, "l.txt", []byte("a/n3/1.png 3\na/hen/1.png -1"))
	d = open(list)
	require.Equal(t, []int{3, -1}, d.Labels(), "indices already")
	require.Equal(t, names, d.Classes())
	put(t, dir, "flat/1.png", dot(t, 1))
	d = open(dir + "/flat")
	require.Nil(t, d.Labels())
	require.Nil(t, d.Classes())

	for text, want := range map[string]string{
		dir + "/c": dir + "/c: class wren is none of the 4 classes given, which begin with n1, n2, n3, n4",
		dir + "/d": dir + "/d: class crane: expected an ID, got the name of 2 of the classes given",
		list:       list + ": image a/n3/1.png: expected a label of 4 classes, got 4",
	} {
		put(t, dir, "c/wren/1.png", dot(t, 3))
		put(t, dir, "d/crane/1.png", dot(t, 3))
		put(t, dir, "l.txt", []byte("a/n3/1.png 4"))
		_, err := OpenWith(text, OpenOptions{Classes: birds})
		require.EqualError(t, err, fmt.Sprintf("open data %q: %s", text, want))
	}
}

// Two sets with folders of the same names agree by the classes of the larger set.
func TestRelabelByAnotherSet(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"fit/ant/1.png", "fit/bee/1.png", "fit/cow/1.png", "id/cow/1.png", "id/ant/1.png",
		"id/cow/2.png"} {
		put(t, dir, name, dot(t, i))
	}
	fit, id := mustOpen(t, dir+"/fit"), mustOpen(t, dir+"/id")
	require.Equal(t, []int{0, 1, 1}, id.Labels())
	d, err := Relabel(id, ClassesOf(fit))
	require.NoError(t, err)
	require.Equal(t, []int{0, 2, 2}, d.Labels())
	require.Equal(t, fit.Classes(), d.Classes())
	_, err = Relabel(fit, ClassesOf(id))
	require.ErrorContains(t, err, "class bee is none of the 2 classes given")
	require.False(t, HasWordNetClasses(fit))
	require.Nil(t, ClassesOf(mustOpen(t, dir+"/fit/ant")))
	require.False(t, HasWordNetClasses(mustOpen(t, dir+"/fit/ant")))
}

// TestImageNet: labels are the indices in the class file, although some of the folders hold only a part of the
// classes.
func TestImageNet(t *testing.T) {
	classes, err := ReadClasses(sharedtest.Path(t, "imagenet", "classes.txt"))
	require.NoError(t, err)
	require.Len(t, classes, 1000)
	require.Equal(t, Class{"n01440764", "tench"}, classes[0])
	index := map[string]int{}
	for i, c := range classes {
		index[c.ID] = i
	}
	for part, want := range map[string]int{"fit": 1000, "id": 500, "textures": 250, "sun": 250} {
		d, err := OpenWith("folder:"+sharedtest.Path(t, "imagenet", part), OpenOptions{Classes: classes})
		require.NoError(t, err)
		require.Equal(t, want, d.Len(), part)
		for i, label := range d.Labels() {
			folder, _, _ := strings.Cut(d.ID(i), "/")
			require.Equal(t, index[folder], label)
		}
		require.Equal(t, want >= 500, d.Labels() != nil)
		img, err := d.Image(want - 1)
		require.NoError(t, err)
		require.Equal(t, [2]int{256, 256}, [2]int{img.Height, img.Width})
		require.NoError(t, d.Close())
	}
	id := mustOpen(t, "folder:"+sharedtest.Path(t, "imagenet", "id"))
	require.True(t, HasWordNetClasses(id))
	require.Len(t, id.Classes(), 296)
}
