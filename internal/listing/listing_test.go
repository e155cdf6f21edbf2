package listing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/listing"
	"github.com/line-ood/goline/internal/objects"
)

// counted is a store of so many pictures, whose names are made as they are asked for, and every hundredth is something
// else.
type counted struct{ objects int }

func (c counted) key(i int) string {
	ending := "JPEG"
	if i%100 == 99 {
		ending = "txt"
	}
	return fmt.Sprintf("train/n%05d/picture with a name of some length %08d.%s", i/1300, i, ending)
}

func (c counted) List(_ context.Context, prefix string, deep bool, mark []byte) (objects.Page, error) {
	at, _ := strconv.Atoi(string(mark))
	p := objects.Page{}
	for end := min(at+1000, c.objects); at < end; at++ {
		p.Entries = append(p.Entries, objects.Entry{Key: c.key(at)})
	}
	if at < c.objects {
		p.Next = []byte(strconv.Itoa(at))
	}
	return p, nil
}

func (counted) Stat(context.Context, string) (objects.Info, error) {
	return objects.Info{}, fs.ErrNotExist
}

func (counted) Read(context.Context, string, int64, int64) (io.ReadCloser, objects.Info, error) {
	return nil, objects.Info{}, fs.ErrNotExist
}

func (counted) Create(context.Context, string) (io.WriteCloser, error) { return nil, fs.ErrPermission }

func register(scheme string, n int) {
	objects.Register(scheme, func(context.Context, string) (objects.Store, error) { return counted{n}, nil })
}

// TestMillionNames: a million names of a store go to a list in little memory, also where the work is ended many times
// in between, and the bytes are those of one pass.
func TestMillionNames(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 200_000
	}
	register("million", n)
	const url = "million://bucket/train"
	dir := t.TempDir()
	most := uint64(0)
	watch := func(s listing.State) {
		if s.Pictures/990%100 != 0 {
			return
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := listing.Write(t.Context(), url, filepath.Join(dir, "one"), watch)
	require.NoError(t, err)
	require.Equal(t, n/100*99, s.Pictures)
	require.Equal(t, n/100, s.Others)
	require.Less(t, most, before.HeapAlloc+2<<20)
	t.Logf("%d names, %d bytes of them: at most %d bytes held", s.Pictures, s.Bytes,
		int64(most)-int64(before.HeapAlloc))

	other, tries := filepath.Join(dir, "other"), 0
	for ; ; tries++ {
		ctx, cancel := context.WithCancel(t.Context())
		pages := 0
		_, err := listing.Write(ctx, url, other, func(listing.State) {
			if pages++; pages == n/1000/7 {
				cancel()
			}
		})
		cancel()
		if err == nil {
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		f, err := os.OpenFile(other+listing.PartEnding, os.O_APPEND|os.O_WRONLY, 0) // as killed in the middle of a page
		require.NoError(t, err)
		_, err = f.WriteString("n00001/half a na")
		require.NoError(t, errors.Join(err, f.Close()))
	}
	require.Greater(t, tries, 5)
	one, err := os.ReadFile(filepath.Join(dir, "one"))
	require.NoError(t, err)
	two, err := os.ReadFile(other)
	require.NoError(t, err)
	require.True(t, string(one) == string(two))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "neither parts nor marks")
	f, err := os.Open(other)
	require.NoError(t, err)
	defer f.Close()
	i := 0
	for e, err := range dataset.ScanList(other, f) {
		require.NoError(t, err)
		if i == 0 {
			require.Equal(t, "n00000/picture with a name of some length 00000000.JPEG", e.Path)
			require.Equal(t, -1, e.Label)
		}
		i++
	}
	require.Equal(t, s.Pictures, i)
}

// TestEnded: a list that was ended after its last page, before it got its name, is finished by the next call.
func TestEnded(t *testing.T) {
	register("ended", 1500)
	const url = "ended://bucket/train"
	path := filepath.Join(t.TempDir(), "list")
	ctx, cancel := context.WithCancel(t.Context())
	pages := 0
	_, err := listing.Write(ctx, url, path, func(listing.State) { // a folder at its path keeps it from its name
		if pages++; pages == 2 {
			require.NoError(t, os.Mkdir(path, 0o777))
		}
	})
	cancel()
	require.Error(t, err)
	require.NoError(t, os.Remove(path))
	s, err := listing.Write(t.Context(), url, path, nil)
	require.NoError(t, err)
	require.Equal(t, 1485, s.Pictures)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, data, int(s.Bytes))
}

// TestUncounted: what was written of a list after its latest mark, however much, is not in the finished list.
func TestUncounted(t *testing.T) {
	register("uncounted", 30_000)
	const url = "uncounted://bucket/train"
	path := filepath.Join(t.TempDir(), "list")
	ctx, cancel := context.WithCancel(t.Context())
	pages := 0
	_, err := listing.Write(ctx, url, path, func(listing.State) {
		if pages++; pages == 21 { // one after that of a mark
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	f, err := os.OpenFile(path+listing.PartEnding, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.Write(make([]byte, 4<<20))
	require.NoError(t, errors.Join(err, f.Close()))
	s, err := listing.Write(t.Context(), url, path, nil)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, s.Bytes, info.Size())
}

func TestFails(t *testing.T) {
	register("few", 30_000)
	register("none", 0)
	dir := t.TempDir()
	path := filepath.Join(dir, "list")
	_, err := listing.Write(t.Context(), "none://bucket/train", path, nil)
	require.ErrorContains(t, err, "none://bucket/train: no object below it has the name of a picture")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	ctx, cancel := context.WithCancel(t.Context())
	pages := 0
	_, err = listing.Write(ctx, "few://bucket/train", path, func(listing.State) {
		if pages++; pages == 21 { // one after that of a mark
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	_, err = listing.Write(t.Context(), "few://bucket/other", path, nil)
	require.ErrorContains(t, err, "list.mark is of a list of few://bucket/train that was not finished")
	require.NoError(t, os.Truncate(path+listing.PartEnding, 10))
	_, err = listing.Write(t.Context(), "few://bucket/train", path, nil)
	require.ErrorContains(t, err, "list.part: expected")
	require.NoError(t, os.WriteFile(path+listing.MarkEnding, []byte("{"), 0o666))
	_, err = listing.Write(t.Context(), "few://bucket/train", path, nil)
	require.ErrorContains(t, err, "list.mark: ")
	_, err = listing.Write(t.Context(), "nowhere://bucket", filepath.Join(dir, "x"), nil)
	var scheme *objects.SchemeError
	require.ErrorAs(t, err, &scheme)
}
