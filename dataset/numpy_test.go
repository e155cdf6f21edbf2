package dataset

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
)

// npyFile writes an array to the bytes of an npy file.
func npyFile(t testing.TB, a npyz.Array) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, npyz.WriteNpy(&b, a))
	return b.Bytes()
}

func counting(n int) []uint8 {
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(i)
	}
	return b
}

func TestNpy(t *testing.T) {
	dir := t.TempDir()
	file := put(t, dir, "colour.npy", npyFile(t, npyz.New(counting(2*1*2*3), 2, 1, 2, 3)))
	for _, spec := range []string{file, "npy:" + file} {
		d := mustOpen(t, spec)
		require.Equal(t, 2, d.Len())
		require.Nil(t, d.Labels())
		require.Nil(t, d.Classes())
		require.Equal(t, []string{"colour.npy#0", "colour.npy#1"}, ids(d))
		img, err := d.Image(1)
		require.NoError(t, err)
		require.Equal(t, Image{Pix: []uint8{6, 7, 8, 9, 10, 11}, Height: 1, Width: 2}, img)
	}
	grey := mustOpen(t, put(t, dir, "grey.npy", npyFile(t, npyz.New(counting(3*2), 3, 1, 2))))
	img, err := grey.Image(2)
	require.NoError(t, err)
	require.Equal(t, Image{Pix: []uint8{4, 4, 4, 5, 5, 5}, Height: 1, Width: 2}, img)
}

// TestNpyOtherLayouts: files of numpy.save(f, numpy.asfortranarray(a)) and of format version 2 are read too.
func TestNpyOtherLayouts(t *testing.T) {
	header := "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 1, 2, 3), }\n"
	data := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	data = append(data, header...)
	// Element (i, 0, j, k) is at i + 2j + 4k.
	var flat [12]byte
	for i := range 2 {
		for j := range 2 {
			for k := range 3 {
				flat[i+2*j+4*k] = byte(6*i + 3*j + k)
			}
		}
	}
	d := mustOpen(t, put(t, t.TempDir(), "f.npy", append(data, flat[:]...)))
	img, err := d.Image(1)
	require.NoError(t, err)
	require.Equal(t, []uint8{6, 7, 8, 9, 10, 11}, img.Pix)

	header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1), }\n"
	data = append([]byte("\x93NUMPY\x02\x00"), byte(len(header)), 0, 0, 0)
	d = mustOpen(t, put(t, t.TempDir(), "v2.npy", append(append(data, header...), 42)))
	require.Equal(t, []int{42}, reds(t, d))
}

func TestNpyRefuses(t *testing.T) {
	good := npyFile(t, npyz.New(counting(12), 1, 2, 2, 3))
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"float", npyFile(t, npyz.New(make([]float32, 12), 1, 2, 2, 3)),
			"expected images of dtype |u1 (uint8), got <f4"},
		{"bool", npyFile(t, npyz.New(make([]bool, 12), 1, 2, 2, 3)), "expected images of dtype |u1 (uint8), got |b1"},
		{"planar", npyFile(t, npyz.New(counting(12), 1, 3, 2, 2)),
			"expected images of shape (N, height, width) or (N, height, width, 3), got [1 3 2 2]"},
		{"flat", npyFile(t, npyz.New(counting(12), 12)), "(N, height, width, 3), got [12]"},
		{"empty", npyFile(t, npyz.New([]uint8{}, 0, 2, 2, 3)), "no images: shape [0 2 2 3]"},
		{"short", good[:len(good)-1], "shape [1 2 2 3]: expected 12 bytes behind a header of 128, got 11"},
		{"long", append(bytes.Clone(good), 0), "expected 12 bytes behind a header of 128, got 13"},
		{"header", good[:50], "header is cut off"},
		{"magic", []byte("\x93NUMP"), "cut off"},
		{"other", []byte("hello, this is text"), "bad magic number"},
		{"dictionary", bytes.Replace(good, []byte("'shape'"), []byte("'shame'"), 1), "header"},
		{"absurd", bytes.Replace(good, []byte("(1, 2, 2, 3), }         "), []byte("(9223372036854775807, 2, 2, 3)"), 1),
			"header"},
	} {
		file := put(t, t.TempDir(), "data.npy", c.data)
		_, err := Open("npy:" + file)
		require.ErrorContains(t, err, c.want, c.name)
		require.ErrorContains(t, err, file, c.name)
	}
}

func npzFile(t testing.TB, arrays ...npyz.Named) string {
	t.Helper()
	file := t.TempDir() + "/data.npz"
	require.NoError(t, npyz.WriteNpz(file, npyz.Compression(0), arrays...))
	return file
}

func TestNpz(t *testing.T) {
	images := npyz.New(counting(12), 2, 1, 2, 3)
	for _, name := range imageNames {
		d := mustOpen(t, npzFile(t, npyz.Named{Name: name, Array: images}))
		require.Nil(t, d.Labels())
		require.Equal(t, []int{0, 6}, reds(t, d))
	}
	for _, name := range labelNames {
		d := mustOpen(t, "npz:"+npzFile(t, npyz.Named{Name: "images", Array: images},
			npyz.Named{Name: name, Array: npyz.New([]int64{7, -1}, 2)}))
		require.Equal(t, []int{7, -1}, d.Labels())
		require.Equal(t, "data.npz#1", d.ID(1))
	}
}

func TestNpzRefuses(t *testing.T) {
	images := npyz.Named{Name: "images", Array: npyz.New(counting(12), 2, 1, 2, 3)}
	labels := func(a npyz.Array) []npyz.Named { return []npyz.Named{images, {Name: "labels", Array: a}} }
	for _, c := range []struct {
		arrays []npyz.Named
		want   string
	}{
		{[]npyz.Named{{Name: "features", Array: images.Array}},
			"expected one of the arrays images, x, data, arr_0, got features"},
		{[]npyz.Named{{Name: "x", Array: npyz.New(make([]float64, 12), 2, 1, 2, 3)}},
			`array "x": expected images of uint8, got float64`},
		{[]npyz.Named{{Name: "x", Array: npyz.New(counting(2), 2)}}, `(N, height, width, 3), got [2]`},
		{labels(npyz.New([]int64{1}, 1)), `array "labels": expected labels of shape [2], got [1]`},
		{labels(npyz.New([]int64{1, 2}, 1, 2)), `expected labels of shape [2], got [1 2]`},
		{labels(npyz.New([]float32{1, 2}, 2)), `expected labels of integers, got float32`},
		{labels(npyz.New([]int32{1, -2}, 2)), `record 1: expected a class index as label, or -1 for unknown, got -2`},
	} {
		file := npzFile(t, c.arrays...)
		_, err := Open(file)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, file)
	}
	whole, err := os.ReadFile(npzFile(t, images))
	require.NoError(t, err)
	file := put(t, t.TempDir(), "cut.npz", whole[:len(whole)-10])
	_, err = Open(file)
	require.ErrorContains(t, err, file)
}

func TestNpyShared(t *testing.T) {
	d := mustOpen(t, sharedtest.Path(t, "data", "ood_textures10_500.npy"))
	require.Equal(t, 500, d.Len())
	all, err := npyz.ReadNpyFile(sharedtest.Path(t, "data", "ood_textures10_500.npy"))
	require.NoError(t, err)
	img, err := d.Image(499)
	require.NoError(t, err)
	require.Equal(t, all.Data.([]uint8)[499*3072:], img.Pix)
}
