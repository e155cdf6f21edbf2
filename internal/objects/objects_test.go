package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// memory is a store for tests, which can break off and be changed.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	at      time.Time
	breaks  int   // readers to break off in the middle
	reads   int   // begun
	bytes   int64 // asked for
}

func (m *memory) Stat(_ context.Context, key string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[key]
	if !ok {
		return Info{}, fs.ErrNotExist
	}
	return Info{int64(len(data)), m.at}, nil
}

func (m *memory) Read(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error) {
	info, err := m.Stat(ctx, key)
	if err != nil {
		return nil, info, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	data := m.objects[key][offset:]
	if length >= 0 {
		data = data[:length]
	}
	m.bytes += int64(len(data))
	r := io.Reader(bytes.NewReader(data))
	if m.breaks > 0 {
		m.breaks--
		r = io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(errors.New("connection reset")))
	}
	return io.NopCloser(r), info, nil
}

// upload becomes an object when it is closed.
type upload struct {
	bytes.Buffer
	ctx context.Context
	put func([]byte)
}

func (u *upload) Close() error {
	if u.ctx.Err() == nil {
		u.put(u.Bytes())
	}
	return u.ctx.Err()
}

func (m *memory) Create(ctx context.Context, key string) (io.WriteCloser, error) {
	return &upload{ctx: ctx, put: func(b []byte) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.objects[key] = b
	}}, nil
}

// List gives two entries a page.
func (m *memory) List(_ context.Context, prefix string, deep bool, mark []byte) (Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[string]bool{}
	var all []Entry
	for key, data := range m.objects {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		e := Entry{Key: key, Info: Info{int64(len(data)), m.at}}
		if i := strings.IndexByte(key[len(prefix):], '/'); i >= 0 && !deep {
			e = Entry{Key: key[:len(prefix)+i+1], Folder: true}
		}
		if !seen[e.Key] && e.Key > string(mark) {
			seen[e.Key] = true
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	if len(all) <= 2 {
		return Page{Entries: all}, nil
	}
	return Page{Entries: all[:2], Next: []byte(all[1].Key)}, nil
}

// use registers a store of its own for a test and returns the URL of its bucket.
func use(t *testing.T, objects map[string][]byte) (*memory, string) {
	m := &memory{objects: objects, at: time.Unix(1e9, 0)}
	scheme := "test" + strings.ToLower(strings.Map(func(r rune) rune {
		if r < '0' || r > 'z' || r > '9' && r < 'A' || r > 'Z' && r < 'a' {
			return -1
		}
		return r
	}, t.Name()))
	Register(scheme, func(context.Context, string) (Store, error) { return m, nil })
	return m, scheme + "://bucket"
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		path        string
		is          bool
		bucket, key string
	}{
		{"s3://b/a/b.npz", true, "s3://b", "a/b.npz"}, {"s3://b", true, "s3://b", ""},
		{"s3://b?region=x&k=v/a?b", true, "s3://b?region=x&k=v", "a?b"}, {"file:///a/b", true, "file://", "a/b"},
		{"file:///C:/a/b", true, "file:///C:", "a/b"}, {"list:s3://b/a", false, "", ""}, {"/a://b", false, "", ""},
		{"://b", false, "", ""}, {`C:\a`, false, "", ""}, {"cifar10:a", false, "", ""},
	} {
		require.Equal(t, c.is, IsURL(c.path), c.path)
		if c.is {
			bucket, key := Split(c.path)
			require.Equal(t, []string{c.bucket, c.key}, []string{bucket, key}, c.path)
		}
	}
	require.Equal(t, "s3://b/a/c.png", Join("s3://b/a", "c.png"))
	require.Equal(t, "s3://b/c.png", Join("s3://b", "c.png"))
	require.Equal(t, "s3://b/c.png", Join("s3://b/a", "../c.png"))
	require.Equal(t, "file:///a/b", Join("file:///a", "b"))
	folder, base := Parent("s3://b/a/c.png")
	require.Equal(t, []string{"s3://b/a", "c.png"}, []string{folder, base})
	folder, base = Parent("s3://b/c.png")
	require.Equal(t, []string{"s3://b", "c.png"}, []string{folder, base})
	folder, _ = Parent("s3://b")
	require.Equal(t, "s3://b", folder)
	require.True(t, SameURL("s3://b/a//c", "s3://b/x/../a/c"))
	require.False(t, SameURL("s3://b/a", "s3://c/a"))
}

func TestUnknownScheme(t *testing.T) {
	for url, want := range map[string]string{
		"s3://b/k":  "s3://b/k: this goline was built without object stores: build the one that has them, cd cloud",
		"ftp://b/k": `ftp://b/k: unknown scheme "ftp": expected s3, gs, azblob, file or mem`,
	} {
		_, err := Open(url)
		var scheme *SchemeError
		require.ErrorAs(t, err, &scheme)
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, Write(url, func(io.Writer) error { return nil }), &scheme)
		require.ErrorAs(t, CheckWrite(url), &scheme)
	}
}

// TestFileReads: whatever is read of an object, in whatever order, from wherever, is what it holds, also where
// connections break off.
func TestFileReads(t *testing.T) {
	data := make([]byte, 3<<20+17)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	m, url := use(t, map[string][]byte{"a": data})
	rapid.Check(t, func(t *rapid.T) {
		f, err := Open(url + "/a")
		require.NoError(t, err)
		defer f.Close()
		at := int64(0)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			m.mu.Lock()
			m.breaks = rapid.IntRange(0, 2).Draw(t, "breaks")
			m.mu.Unlock()
			p := make([]byte, rapid.SampledFrom([]int{1, 7, 512, 5000, 40000, 1 << 20}).Draw(t, "length"))
			offset := rapid.Int64Range(0, int64(len(data))+10).Draw(t, "offset")
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				n, err := f.ReadAt(p, offset)
				want := data[min(offset, int64(len(data))):]
				want = want[:min(len(want), len(p))]
				require.True(t, bytes.Equal(want, p[:n]))
				require.Equal(t, n < len(p), err == io.EOF, "%v", err)
			case 1:
				n, err := io.ReadFull(f, p)
				want := data[min(at, int64(len(data))):]
				want = want[:min(len(want), len(p))]
				require.True(t, bytes.Equal(want, p[:n]))
				require.Equal(t, n == len(p), err == nil, "%v", err)
				at += int64(n)
			case 2:
				at, err = f.Seek(offset, io.SeekStart)
				require.NoError(t, err)
			}
		}
	})
}

// TestFileReadsLittle: a look at the beginning of an object gets little of it, and small portions in order few pieces.
func TestFileReadsLittle(t *testing.T) {
	m, url := use(t, map[string][]byte{"a": make([]byte, 8<<20)})
	f, err := Open(url + "/a")
	require.NoError(t, err)
	head := make([]byte, 32)
	_, err = io.ReadFull(f, head)
	require.NoError(t, err)
	require.LessOrEqual(t, m.bytes, int64(4<<10))
	m.reads, m.bytes = 0, 0
	for at := int64(0); at < 8<<20; at += 1000 {
		_, err := f.ReadAt(make([]byte, 1000), at)
		require.True(t, err == nil || err == io.EOF, "%v", err)
	}
	require.Less(t, m.reads, 20)
	require.LessOrEqual(t, m.bytes, int64(9<<20))
	held := 0
	for _, p := range f.pieces {
		held += len(p.data)
	}
	require.LessOrEqual(t, held, pieces*lastPiece)
}

func TestFileFails(t *testing.T) {
	m, url := use(t, map[string][]byte{"a": make([]byte, 1<<17)})
	_, err := Open(url + "/b")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, url+"/b")
	f, err := Open(url + "/a")
	require.NoError(t, err)
	m.breaks = 100
	_, err = f.ReadAt(make([]byte, 1<<16), 0)
	require.ErrorContains(t, err, "read "+url+"/a: connection reset")
	_, err = io.ReadAll(f)
	require.ErrorContains(t, err, "read "+url+"/a: ")
	m.breaks = 0
	m.objects["a"] = make([]byte, 1<<17+1)
	_, err = f.ReadAt(make([]byte, 1), 1<<16)
	require.ErrorContains(t, err, "it changed while it was read: expected 131072 bytes")
	_, err = f.ReadAt(make([]byte, 1), -1)
	require.ErrorIs(t, err, fs.ErrInvalid)
}

func TestTree(t *testing.T) {
	objects := map[string][]byte{"top.txt": nil, "d/": nil}
	for _, key := range []string{"d/x/1.png", "d/x/2.png", "d/y/1.png", "d/y/deep/3.png", "d/y/[b].png", "d/z.txt"} {
		objects[key] = []byte(key)
	}
	_, url := use(t, objects)
	entries, err := ReadDir(url + "/d")
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, fmt.Sprint(e.Name(), " ", e.IsDir()))
	}
	require.Equal(t, []string{"x true", "y true", "z.txt false"}, names)
	for name, folder := range map[string]bool{"": true, "/": true, "/d": true, "/d/": true, "/d/x/1.png": false} {
		info, err := Stat(url + name)
		require.NoError(t, err, name)
		require.Equal(t, folder, info.IsDir(), name)
	}
	_, err = Stat(url + "/d/none")
	require.ErrorIs(t, err, fs.ErrNotExist)
	for pattern, want := range map[string][]string{
		"d/*/1.png": {"d/x/1.png", "d/y/1.png"}, "d/*.txt": {"d/z.txt"}, "*": {"d", "top.txt"},
		"d/x/1.png":     {"d/x/1.png"},
		"d/y/[[]b].png": {"d/y/[b].png"}, "d/*/*/*": {"d/y/deep/3.png"}, "none/*": {}, "d/?/2.png": {"d/x/2.png"},
	} {
		got, err := Glob(url + "/" + pattern)
		require.NoError(t, err, pattern)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], url+"/")
		}
		require.Equal(t, want, append([]string{}, got...), pattern)
	}
	_, err = Glob(url + "/d/[")
	require.ErrorIs(t, err, path.ErrBadPattern)
	data, err := fs.ReadFile(Folder(url+"/d"), "x/1.png")
	require.NoError(t, err)
	require.Equal(t, "d/x/1.png", string(data))
	_, err = Folder(url + "/d").Open("../top.txt")
	require.ErrorIs(t, err, fs.ErrInvalid)
}

func TestWrite(t *testing.T) {
	m, url := use(t, map[string][]byte{"a": []byte("before")})
	require.NoError(t, CheckWrite(url+"/a"))
	require.NoError(t, CheckWrite(url+"/new"))
	require.ErrorContains(t, CheckWrite(url+"/folder/"), "expected the URL of an object")
	write := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, _ = io.WriteString(w, text)
			return err
		}
	}
	failed := errors.New("failed")
	require.ErrorIs(t, Write(url+"/a", write("half", failed)), failed)
	require.ErrorContains(t, Write(url+"/a", write("half", failed)), "write "+url+"/a: failed")
	require.Panics(t, func() { _ = Write(url+"/a", func(io.Writer) error { panic("no") }) })
	require.Equal(t, "before", string(m.objects["a"]))
	require.NoError(t, Write(url+"/a", write("after", nil)))
	require.Equal(t, "after", string(m.objects["a"]))
}
