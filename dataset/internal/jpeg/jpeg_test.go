package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/line-ood/goline/internal/damage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const limit = 1 << 24

// fixtures returns the files that testdata/make_pictures.py wrote. The .npy files beside them hold Pillow's results.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("../../testdata/pictures/*.jpg")
	require.NoError(t, err)
	require.Greater(t, len(names), 15)
	files := map[string][]byte{}
	for _, name := range names {
		files[filepath.Base(name)], err = os.ReadFile(name)
		require.NoError(t, err)
	}
	return files
}

// TestDecodeEqualsLibjpeg: for all subsamplings, progressive files, restart markers, grey, RGB, CMYK and YCCK no
// sample may differ from libjpeg-turbo's.
func TestDecodeEqualsLibjpeg(t *testing.T) {
	for name, data := range fixtures(t) {
		npy, err := os.ReadFile("../../testdata/pictures/" + name + ".npy")
		require.NoError(t, err)
		want := npy[10+int(binary.LittleEndian.Uint16(npy[8:])):]
		pix, height, width, err := Decode(data, nil, limit)
		require.NoError(t, err, name)
		require.Equal(t, len(want), 3*height*width, name)
		assert.Equal(t, want, pix, name)
	}
}

// The standard library's decoder has another inverse DCT. Without chroma subsampling the results may differ only by
// rounding. The standard library's encoder is another source of files.
func TestDecodeNearStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 40).Draw(t, "width"), rapid.IntRange(1, 40).Draw(t, "height")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		im := image.NewGray(image.Rect(0, 0, w, h))
		for i := range im.Pix {
			im.Pix[i] = uint8(128 + 100*math.Sin(float64(i%w)*0.3+float64(i/w)*0.2) + 20*rng.Float64())
		}
		var b bytes.Buffer
		require.NoError(t, stdjpeg.Encode(&b, im, &stdjpeg.Options{Quality: rapid.IntRange(1, 100).Draw(t, "quality")}))
		pix, height, width, err := Decode(b.Bytes(), nil, limit)
		require.NoError(t, err)
		require.Equal(t, [2]int{h, w}, [2]int{height, width})
		std, err := stdjpeg.Decode(&b)
		require.NoError(t, err)
		for i := range h * w {
			want := std.At(i%w, i/w).(color.Gray).Y
			require.InDelta(t, want, pix[3*i], 1)
			require.Equal(t, pix[3*i:3*i+1], pix[3*i+1:3*i+2])
			require.Equal(t, pix[3*i:3*i+1], pix[3*i+2:3*i+3])
		}
	})
}

// naiveIDCT is the inverse DCT by its definition (T.81 A.3.3), in float64.
func naiveIDCT(coef [64]float64) (out [64]float64) {
	c := func(u int) float64 {
		if u == 0 {
			return math.Sqrt2 / 2
		}
		return 1
	}
	for y := range 8 {
		for x := range 8 {
			for v := range 8 {
				for u := range 8 {
					out[8*y+x] += c(u) * c(v) / 4 * coef[8*v+u] *
						math.Cos(float64(2*x+1)*float64(u)*math.Pi/16) * math.Cos(float64(2*y+1)*float64(v)*math.Pi/16)
				}
			}
		}
	}
	return out
}

func TestTransformIsInverseDCT(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := component{blocksX: 1, blocksY: 1, stride: 8, plane: make([]uint8, 64)}
		var b block
		var exact [64]float64
		last := rapid.SampledFrom([]int{0, 1, 5, 63}).Draw(t, "last")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for k := range 64 {
			c.quant[k] = 1 + rng.Int32N(20)
		}
		for k := range last + 1 {
			i := zigzag[k]
			b[i] = int16(rng.IntN(41) - 20)
			exact[i] = float64(b[i]) * float64(c.quant[i])
		}
		c.transform(&b, last, 0, 0)
		for i, want := range naiveIDCT(exact) {
			want = min(max(want+128, 0), 255)
			require.InDelta(t, want, float64(c.plane[i]), 1, "sample %d", i) // rounding after each pass
		}
	})
}

// Every code of a random table is decoded, and bits that match no code are refused.
func TestHuffman(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var counts [16]byte
		space := 1 << 16 // the unused part of the code space, in units of the longest code
		var values []byte
		for length := 1; length <= 16; length++ {
			most := min(space>>(16-length), 256-len(values))
			n := rapid.IntRange(0, min(most, 20)).Draw(t, "count")
			counts[length-1] = byte(n)
			space -= n << (16 - length)
			for range n {
				values = append(values, byte(len(values)*37))
			}
		}
		h, err := newHuffman(counts, values)
		require.NoError(t, err)
		code, k := uint64(0), 0
		for length := 1; length <= 16; length++ {
			for range counts[length-1] {
				b := bitReader{acc: code << (64 - length), n: 64}
				v, ok := b.symbol(h)
				require.True(t, ok)
				require.Equal(t, values[k], v)
				require.Equal(t, 64-length, b.n)
				code++
				k++
			}
			code <<= 1
		}
		if space > 0 {
			b := bitReader{acc: math.MaxUint64, n: 64}
			_, ok := b.symbol(h)
			require.False(t, ok)
		}
	})
}

func TestHuffmanRefusesTooManyCodes(t *testing.T) {
	_, err := newHuffman([16]byte{3}, []byte{1, 2, 3})
	require.ErrorContains(t, err, "too many codes")
}

func TestReceiveExtend(t *testing.T) {
	for _, c := range []struct {
		bits string
		want int32
	}{{"", 0}, {"0", -1}, {"1", 1}, {"00", -3}, {"01", -2}, {"10", 2}, {"11", 3}, {"000000000000000", -32767},
		{"111111111111111", 32767}} {
		var acc uint64
		for i, v := range c.bits {
			acc |= uint64(v-'0') << (63 - i)
		}
		b := bitReader{acc: acc, n: 64}
		assert.Equal(t, c.want, b.receiveExtend(len(c.bits)), c.bits)
	}
}

// A truncated file of any length is an error: it gives neither a panic nor a picture.
func TestDecodeRefusesTruncated(t *testing.T) {
	for name, data := range fixtures(t) {
		for n := range data {
			_, _, _, err := Decode(data[:n], nil, limit)
			require.Error(t, err, "%s cut to %d of %d bytes", name, n, len(data))
		}
	}
}

// segmentAt finds a marker segment and returns the offset of its length field.
func segmentAt(t *testing.T, data []byte, markers ...byte) int {
	t.Helper()
	for i := 2; i+4 < len(data); i += 2 + int(binary.BigEndian.Uint16(data[i+2:])) {
		if bytes.IndexByte(markers, data[i+1]) >= 0 {
			return i + 2
		}
	}
	t.Fatalf("no segment %#x", markers)
	return 0
}

func TestDecodeRefuses(t *testing.T) {
	good := fixtures(t)["rgb_420_restart.jpg"]
	sof := segmentAt(t, good, mSOF0)
	sos := segmentAt(t, good, mSOS)
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	for _, c := range []struct {
		name        string
		data        []byte
		want        string
		unsupported bool
	}{
		{"empty", nil, "no start-of-image", false},
		{"text", []byte("hello"), "no start-of-image", false},
		{"arithmetic coding", edit(func(b []byte) []byte { b[sof-1] = 0xC9; return b }), "frame type SOF9", true},
		{"lossless", edit(func(b []byte) []byte { b[sof-1] = 0xC3; return b }), "frame type SOF3", true},
		{"12 bits", edit(func(b []byte) []byte { b[sof+2] = 12; return b }), "12 bits per sample", true},
		{"zero width", edit(func(b []byte) []byte { b[sof+5], b[sof+6] = 0, 0; return b }), "size 0x27", false},
		{"sampling 0", edit(func(b []byte) []byte { b[sof+9] = 0; return b }), "sampling 0x0", false},
		{"sampling 3:2", edit(func(b []byte) []byte { b[sof+9] = 0x31; b[sof+12] = 0x21; return b }), "fractional",
			true},
		{"same component twice", edit(func(b []byte) []byte { b[sof+11] = b[sof+8]; return b }), "two components",
			false},
		{"too large", edit(func(b []byte) []byte { b[sof+3], b[sof+5] = 0xFF, 0xFF; return b }), "above the limit",
			false},
		{"larger than the data", edit(func(b []byte) []byte { b[sof+3] = 0xFF; return b }), "truncated", false},
		{"no such component", edit(func(b []byte) []byte { b[sos+3] = 99; return b }), "unknown component 99", false},
		{"no such table", edit(func(b []byte) []byte { b[sos+4] = 0x22; return b }),
			"Huffman table of component 1 is missing", false},
		{"wrong restart marker", bytes.Replace(good, []byte{0xFF, 0xD1}, []byte{0xFF, 0xD5}, 1), "restart marker",
			false},
		{"missing restart marker", bytes.Replace(good, []byte{0xFF, 0xD1}, nil, 1), "", false},
	} {
		_, _, _, err := Decode(c.data, nil, limit)
		require.ErrorContains(t, err, c.want, c.name)
		require.Equal(t, c.unsupported, errors.Is(err, ErrUnsupported), "%s: %v", c.name, err)
	}
}

// Some encoders write stray bytes or fill bytes before markers; both are skipped, as in libjpeg.
func TestDecodeSkipsStrayBytes(t *testing.T) {
	good := fixtures(t)["rgb_444.jpg"]
	want, _, _, err := Decode(good, nil, limit)
	require.NoError(t, err)
	sof := segmentAt(t, good, mSOF0) - 2
	for _, stray := range [][]byte{{0xFF}, {0xFF, 0xFF}, {1, 2, 3}} {
		for _, at := range []int{sof, len(good) - 2} {
			pix, _, _, err := Decode(bytes.Join([][]byte{good[:at], good[at:]}, stray), nil, limit)
			require.NoError(t, err)
			require.Equal(t, want, pix)
		}
	}
	_, _, _, err = Decode(append(bytes.Clone(good), "trailing"...), nil, limit)
	require.NoError(t, err)
}

func TestDecodeUsesBuffer(t *testing.T) {
	data := fixtures(t)["rgb_420.jpg"]
	buf := make([]uint8, 0, 35*27*3)
	pix, _, _, err := Decode(data, buf, limit)
	require.NoError(t, err)
	require.Same(t, &buf[:1][0], &pix[0])
	again, _, _, err := Decode(data, make([]uint8, 10), limit)
	require.NoError(t, err)
	require.Equal(t, pix, again)
}

func FuzzDecode(f *testing.F) {
	all := fixtures(f)
	names := slices.Sorted(maps.Keys(all))
	for i, name := range names {
		f.Add(uint16(i), uint8(i), uint64(i), all[name][:min(len(all[name]), 64)])
	}
	f.Fuzz(func(t *testing.T, which uint16, kind uint8, seed uint64, data []byte) {
		file := all[names[int(which)%len(names)]]
		switch kind % 4 { // files are damaged here, since the fuzzer is slow with long inputs
		case 0:
		case 1:
			data = append(bytes.Clone(file[:min(len(file), int(seed%4096))]), data...)
		case 2:
			data = damage.Defect(file, rand.New(rand.NewPCG(seed, 1)))
		case 3:
			data = damage.JPEG(file, rand.New(rand.NewPCG(seed, 1)))
		}
		if len(data) > 1<<14 {
			return
		}
		if need, err := Memory(data, 1<<18); err == nil && need > 1<<22 {
			return // such a file would only be slow
		}
		pix, height, width, err := Decode(data, nil, 1<<18)
		if err == nil && (len(pix) != 3*height*width || len(pix) == 0) {
			t.Fatalf("%d samples for %dx%d pixels", len(pix), height, width)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	const w, h = 500, 375
	im := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range im.Pix {
		im.Pix[i] = uint8(128 + 90*math.Sin(float64(i/4%w)*0.05) + float64(uint32(i)*2654435761>>7&31))
	}
	var file bytes.Buffer
	require.NoError(b, stdjpeg.Encode(&file, im, &stdjpeg.Options{Quality: 90}))
	b.Run("here", func(b *testing.B) {
		var buf []uint8
		for b.Loop() {
			buf, _, _, _ = Decode(file.Bytes(), buf, limit)
		}
	})
	b.Run("std", func(b *testing.B) {
		for b.Loop() {
			stdjpeg.Decode(bytes.NewReader(file.Bytes()))
		}
	})
}
