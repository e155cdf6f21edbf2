package npyz_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/npyz"
)

func compression(t *rapid.T) npyz.Compression {
	return rapid.SampledFrom([]npyz.Compression{npyz.Stored, npyz.Deflated}).Draw(t, "compression")
}

func writeArchive(t require.TestingT, c npyz.Compression, arrays []npyz.Named) []byte {
	var buf bytes.Buffer
	z := npyz.NewWriter(&buf, c)
	for _, a := range arrays {
		require.NoError(t, z.Write(a.Name, a.Array))
	}
	require.NoError(t, z.Close())
	return buf.Bytes()
}

func readArchive(b []byte) (*npyz.Archive, error) {
	r, err := npyz.NewReader(bytes.NewReader(b), int64(len(b)), "test.npz")
	if err != nil {
		return nil, err
	}
	return r.ReadAll()
}

func TestNpzRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var arrays []npyz.Named
		for i := range rapid.IntRange(0, 4).Draw(t, "arrays") {
			arrays = append(arrays, npyz.Named{Name: fmt.Sprintf("block%d/a.b", i), Array: drawArray(t)})
		}
		c := compression(t)
		b := writeArchive(t, c, arrays)
		require.Equal(t, b, writeArchive(t, c, arrays), "the same arrays give the same bytes")
		got, err := readArchive(b)
		require.NoError(t, err)
		require.Len(t, got.Names(), len(arrays))
		i := 0
		for name, a := range got.All() {
			require.Equal(t, arrays[i].Name, name)
			require.Equal(t, arrays[i].Array, a)
			i++
		}
	})
}

func TestRowsEqualOneWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		d := rapid.IntRange(1, 5).Draw(t, "d")
		data := rapid.SliceOfN(rapid.Float32(), n*d, n*d).Draw(t, "data")
		c := compression(t)
		want := writeArchive(t, c, []npyz.Named{
			{Name: "features", Array: npyz.New(data, n, d)}, {Name: "labels", Array: npyz.New([]int64{1})}})

		var buf bytes.Buffer
		z := npyz.NewWriter(&buf, c)
		rows, err := npyz.NewRows[float32](z, "features", n, d)
		require.NoError(t, err)
		for at := 0; at < n; {
			k := rapid.IntRange(0, n-at).Draw(t, "rows")
			require.NoError(t, rows.Write(data[at*d:(at+k)*d]))
			at += k
		}
		require.NoError(t, rows.Close())
		require.NoError(t, z.Write("labels", npyz.New([]int64{1})))
		require.NoError(t, z.Close())
		if c == npyz.Stored { // compressors may divide the data into other blocks
			require.Equal(t, want, buf.Bytes())
		}
		got, err := readArchive(buf.Bytes())
		require.NoError(t, err)
		values, err := got.Float32("features", n, d)
		require.NoError(t, err)
		require.Equal(t, data, values)
	})
}

func TestRowsAreTheArray(t *testing.T) {
	var want, got bytes.Buffer
	fill := func(w io.Writer, write func(*npyz.Writer) error) {
		require.NoError(t, npyz.FillNpz(w, npyz.Stored, write))
	}
	fill(&want, func(z *npyz.Writer) error { return z.Write("a", npyz.New([]bool{true, false, false, true}, 2, 2)) })
	fill(&got, func(z *npyz.Writer) error {
		rows, err := npyz.NewRows[bool](z, "a", 2, 2)
		require.NoError(t, err)
		require.NoError(t, rows.Write([]bool{true, false}))
		require.NoError(t, rows.Write([]bool{false, true}))
		return rows.Close()
	})
	require.Equal(t, want.Bytes(), got.Bytes())
}

func TestRowsRefusals(t *testing.T) {
	z := npyz.NewWriter(io.Discard, npyz.Stored)
	_, err := npyz.NewRows[float32](z, "a")
	require.ErrorContains(t, err, "without axes")
	_, err = npyz.NewRows[float32](z, "a", 3, 0)
	require.ErrorContains(t, err, "empty rows")

	rows, err := npyz.NewRows[float32](z, "a", 2, 3)
	require.NoError(t, err)
	require.ErrorContains(t, rows.Write(make([]float32, 4)), "whole rows")
	require.ErrorContains(t, rows.Write(make([]float32, 9)), "expected 2 rows, got 3")
	require.ErrorContains(t, z.Write("b", npyz.Scalar[int64](1)), "still being written")
	require.ErrorContains(t, z.Close(), "still being written")
	require.NoError(t, rows.Write(make([]float32, 3)))
	require.ErrorContains(t, rows.Close(), "expected 2 rows, got 1")
	require.ErrorContains(t, z.Close(), `"a"`, "an archive with a broken array is never completed")
}

func TestNpzWriterRefusals(t *testing.T) {
	var buf bytes.Buffer
	z := npyz.NewWriter(&buf, npyz.Stored)
	one := npyz.Scalar(float32(1))
	require.NoError(t, z.Write("a", one))
	require.ErrorContains(t, z.Write("a", one), "twice")
	for _, name := range []string{"", "b/", "b.npy", "\xff", string(make([]byte, 1<<16))} {
		require.Error(t, z.Write(name, one), "%q", name)
	}
	require.Error(t, z.Write("bad", npyz.New([]float32{1}, 2)))
	require.NoError(t, z.Close(), "refused arrays leave the archive whole")
	require.Error(t, z.Write("late", one))
	got, err := readArchive(buf.Bytes())
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, got.Names())
}

func TestCreateNpzKeepsOldFileOnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored, npyz.Named{Name: "a", Array: npyz.Scalar("old")}))
	boom := errors.New("boom")
	err := npyz.CreateNpz(path, npyz.Stored, func(z *npyz.Writer) error {
		return errors.Join(z.Write("a", npyz.Scalar("new")), boom)
	})
	require.ErrorIs(t, err, boom)
	got, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	s, err := got.String("a")
	require.NoError(t, err)
	require.Equal(t, "old", s)
}

func TestArchiveAccess(t *testing.T) {
	b := writeArchive(t, npyz.Stored, []npyz.Named{
		{Name: "features", Array: npyz.New([]float64{1, 2, 3, 0.1, 5, 6}, 2, 3)},
		{Name: "labels", Array: npyz.New([]int32{3, 4})},
		{Name: "classes", Array: npyz.New([]string{"cat", "dog"})},
	})
	a, err := readArchive(b)
	require.NoError(t, err)

	labels, err := a.Ints("labels", -1)
	require.NoError(t, err)
	require.Equal(t, []int{3, 4}, labels)
	classes, err := a.Strings("classes", 2)
	require.NoError(t, err)
	require.Equal(t, []string{"cat", "dog"}, classes)
	require.True(t, a.Has("labels"))
	require.False(t, a.Has("nothing"))

	_, err = a.Float64("features", 2, 4)
	require.EqualError(t, err, `read test.npz: array "features": expected shape [2 4], got [2 3]`)
	_, err = a.Float32("features", -1, 3)
	require.EqualError(t, err, `read test.npz: array "features": element 3 is 0.1, which float32 does not hold`)
	_, err = a.Int64("classes", 2)
	require.EqualError(t, err, `read test.npz: array "classes": expected elements of int64, got string`)
	_, err = a.Get("feature")
	require.EqualError(t, err,
		`read test.npz: array "feature": no such array; the archive has ["features" "labels" "classes"]`)
	_, err = a.String("classes")
	require.ErrorContains(t, err, "expected shape [], got [2]")
}

func TestReaderReadsOneByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	require.NoError(t, npyz.WriteNpz(path, npyz.Deflated,
		npyz.Named{Name: "x", Array: npyz.New([]float32{1, 2}, 1, 2)},
		npyz.Named{Name: "y", Array: npyz.Scalar[int64](3)}))
	r, err := npyz.OpenNpz(path)
	require.NoError(t, err)
	defer r.Close()
	require.Equal(t, []string{"x", "y"}, r.Names())
	shape, err := r.Shape("x")
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, shape)
	y, err := r.Read("y")
	require.NoError(t, err)
	require.Equal(t, npyz.Scalar[int64](3), y)
	_, err = r.Read("z")
	require.ErrorContains(t, err, path)
	require.True(t, r.Has("x"))
}

// TestDamagedArchives cuts a valid archive at every place and flips its bits: the result must be an error or the right
// arrays.
func TestDamagedArchives(t *testing.T) {
	for _, c := range []npyz.Compression{npyz.Stored, npyz.Deflated} {
		want := npyz.New([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
		b := writeArchive(t, c, []npyz.Named{{Name: "a", Array: want}})
		for cut := range len(b) {
			_, err := readArchive(b[:cut])
			require.Error(t, err, "cut at %d", cut)
		}
		for i := range b {
			for _, mask := range []byte{1, 0x80, 0xff} {
				damaged := bytes.Clone(b)
				damaged[i] ^= mask
				got, err := readArchive(damaged)
				if err != nil {
					continue
				}
				if a, err := got.Get("a"); err == nil { // if the flip did not hit the name
					require.Equal(t, want, a, "byte %d", i)
				}
			}
		}
	}
}

// TestOverlappingMembers lists one member many times in the directory. A small file must not cause much work.
func TestOverlappingMembers(t *testing.T) {
	b := writeArchive(t, npyz.Stored, []npyz.Named{{Name: "a0", Array: npyz.New(make([]float32, 100))}})
	end := len(b) - 22 // the closing record without a comment
	start := int(binary.LittleEndian.Uint32(b[end+16:]))
	forged := bytes.Clone(b[:end])
	for i := 1; i < 5; i++ {
		at := len(forged)
		forged = append(forged, b[start:end]...)
		forged[at+46+1] = byte('0' + i) // the second letter of the name
	}
	closing := bytes.Clone(b[end:])
	binary.LittleEndian.PutUint16(closing[8:], 5)
	binary.LittleEndian.PutUint16(closing[10:], 5)
	binary.LittleEndian.PutUint32(closing[12:], uint32(5*(end-start)))
	_, err := readArchive(append(forged, closing...))
	require.ErrorContains(t, err, "overlap")
}

func TestMembersHaveNoDate(t *testing.T) {
	b := writeArchive(t, npyz.Stored, []npyz.Named{{Name: "a", Array: npyz.Scalar("x")}})
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	require.Equal(t, 1980, z.File[0].Modified.UTC().Year(), "two archives written in different years are equal")
}

func TestOpenNpzRefusals(t *testing.T) {
	dir := t.TempDir()
	_, err := npyz.ReadNpz(dir)
	require.ErrorContains(t, err, dir)
	_, err = npyz.ReadNpz(filepath.Join(dir, "missing.npz"))
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(dir, "not.npz")
	require.NoError(t, os.WriteFile(path, []byte("hello"), 0o644))
	_, err = npyz.ReadNpz(path)
	require.ErrorContains(t, err, path)
}

func ExampleCreateNpz() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "features.npz")

	err = npyz.CreateNpz(path, npyz.Stored, func(z *npyz.Writer) error {
		rows, err := npyz.NewRows[float32](z, "features", 3, 2)
		if err != nil {
			return err
		}
		for i := range 3 { // batch by batch
			if err := rows.Write([]float32{float32(i), float32(i * i)}); err != nil {
				return err
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
		return z.Write("net", npyz.Scalar("densenet"))
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := npyz.ReadNpz(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	features, err := a.Float32("features", -1, 2)
	fmt.Println(a.Names(), features, err)
	// Output: [features net] [0 0 1 1 2 4] <nil>
}
