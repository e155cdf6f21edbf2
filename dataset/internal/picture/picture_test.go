package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/line-ood/goline/internal/damage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fixtures returns the pictures that testdata/make_pictures.py wrote.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("../../testdata/pictures/*")
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".npy") {
			files[filepath.Base(name)], err = os.ReadFile(name)
			require.NoError(t, err)
		}
	}
	require.Greater(t, len(files), 60)
	return files
}

// TestDecodeEqualsPillow compares every kind and mode of file with the result of Pillow's convert("RGB") in the npy
// file beside it.
func TestDecodeEqualsPillow(t *testing.T) {
	for name, data := range fixtures(t) {
		npy, err := os.ReadFile("../../testdata/pictures/" + name + ".npy")
		require.NoError(t, err)
		header := 10 + int(binary.LittleEndian.Uint16(npy[8:]))
		pix, height, width, err := Decode(data, nil)
		require.NoError(t, err, name)
		require.Contains(t, string(npy[:header]), fmt.Sprintf("'shape': (%d, %d, 3)", height, width), name)
		assert.Equal(t, npy[header:], pix, name)

		used := bytes.Repeat([]byte{77}, 1<<16)
		again, _, _, err := Decode(data, used)
		require.NoError(t, err, name)
		assert.Equal(t, pix, again, "%s: into memory that was used before", name)
	}
}

// Transparent pixels keep their stored colour, which image/color would premultiply to black.
func TestDecodeDropsAlpha(t *testing.T) {
	im := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	im.SetNRGBA(0, 0, color.NRGBA{R: 10, G: 20, B: 30, A: 0})
	im.SetNRGBA(1, 0, color.NRGBA{R: 200, G: 100, B: 50, A: 128})
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, im))
	pix, _, _, err := Decode(b.Bytes(), nil)
	require.NoError(t, err)
	require.Equal(t, []uint8{10, 20, 30, 200, 100, 50}, pix)
}

func TestSniff(t *testing.T) {
	for name, data := range fixtures(t) {
		want := map[string]Format{".png": PNG, ".jpg": JPEG, ".gif": GIF, ".bmp": BMP,
			".webp": WebP}[filepath.Ext(name)]
		require.Equal(t, want, Sniff(data[:SniffLen]), name)
	}
	for _, text := range []string{"", "BM", "BMW is a maker of cars, not of pictures", "\xff\xd8", "RIFF....WAVE",
		"GIF88a", "\x89PNG"} {
		require.Equal(t, Unknown, Sniff([]byte(text)), text)
	}
	require.Equal(t, "WebP unknown", WebP.String()+" "+Unknown.String())
}

// A truncated picture is an error as long as pixels are missing, and never a panic.
func TestDecodeRefusesTruncated(t *testing.T) {
	for name, data := range fixtures(t) {
		for n := 0; n < len(data); n += 1 + len(data)/300 {
			_, _, _, err := Decode(data[:n], nil)
			if n < len(data)/2 {
				require.Error(t, err, "%s cut to %d of %d bytes", name, n, len(data))
			}
			if err != nil {
				require.NotContains(t, err.Error(), "do not fit each other", "%s cut to %d of %d bytes", name, n,
					len(data))
			}
		}
	}
}

func pngChunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func pngHeader(width, height uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, width)
	b = binary.BigEndian.AppendUint32(b, height)
	return append([]byte("\x89PNG\r\n\x1a\n"), pngChunk("IHDR", append(b, 8, 6, 0, 0, 0))...)
}

// Headers that state huge sizes are refused before memory is allocated.
func TestDecodeRefusesBombs(t *testing.T) {
	gif := []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\xff\xff\xff\xff\x00" +
		"\x02\x01\x00\x00;")
	bmp := bytes.Clone(fixtures(t)["rgb24.bmp"])
	jpg := bytes.Clone(fixtures(t)["grey.jpg"])
	sof := bytes.Index(jpg, []byte{0xFF, 0xC0})
	webp := bytes.Clone(fixtures(t)["lossless.webp"])
	binary.LittleEndian.PutUint32(webp[21:], 1<<28-1)
	canvas := bytes.Clone(fixtures(t)["lossless_alpha_extended.webp"])
	copy(canvas[24:], "\xff\xff\xff\xff\xff\xff")
	const above = "above the limit of 178956970 pixels"
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"png", append(pngHeader(13378, 13378), make([]byte, 100)...), above},
		{"png of the largest numbers", append(pngHeader(1<<31-1, 1<<31-1), make([]byte, 100)...), above},
		{"png beyond int32", append(pngHeader(1<<32-1, 1), make([]byte, 100)...), "size"},
		{"png below the limit, but far too short", append(pngHeader(13377, 13377), make([]byte, 100)...), "truncated"},
		{"png without pixels", append(pngHeader(0, 5), make([]byte, 100)...), "size 0x5"},
		{"gif", gif, above},
		{"bmp", append(append(bmp[:18:18], "\xff\xff\x00\x00\xff\xff\x00\x00"...), bmp[26:]...), above},
		{"bmp below the limit, but far too short", append(append(bmp[:18:18], "\xff\x0f\x00\x00\xff\x0f\x00\x00"...),
			bmp[26:]...), "truncated"},
		{"jpeg", append(append(jpg[:sof+5:sof+5], 0xFF, 0xFF, 0xFF, 0xFF), jpg[sof+9:]...), above},
		{"webp", webp, above},
		{"webp canvas", canvas, above},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, _, err := Decode(c.data, nil)
		runtime.ReadMemStats(&after)
		require.ErrorContains(t, err, c.want, c.name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), c.name)
	}
}

func TestDecodeRefusesOther(t *testing.T) {
	for _, data := range []string{"", "hello", "II*\x00tiff", "%PDF-1.4"} {
		_, _, _, err := Decode([]byte(data), nil)
		require.ErrorIs(t, err, errKind)
	}
	webp := bytes.Clone(fixtures(t)["lossless_alpha_extended.webp"])
	webp[24]++ // the canvas becomes wider than the picture
	_, _, _, err := Decode(webp, nil)
	require.ErrorContains(t, err, "does not fit the canvas of 10x7")
}

// Every decoder stops when its context ends, and Memory bounds the memory that it uses.
func TestDecodeContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, data := range fixtures(t) {
		_, _, _, err := DecodeContext(ctx, data, nil)
		require.ErrorIs(t, err, context.Canceled, name)
		pix, _, _, err := DecodeContext(t.Context(), data, nil)
		require.NoError(t, err, name)
		need, err := Memory(data, MaxPixels)
		require.NoError(t, err, name)
		require.GreaterOrEqual(t, need, int64(len(pix)), name)
		require.LessOrEqual(t, need, int64(100*len(pix))+1<<16, name)
	}
}

// The error for an unsupported BMP says which feature is not supported.
func TestUnsupportedBMP(t *testing.T) {
	good := fixtures(t)["grey8.bmp"]
	for want, change := range map[string]func(b []byte){
		"compression 1 (RLE8) is not read":       func(b []byte) { b[30] = 1 },
		"compression 3 (bit fields) is not read": func(b []byte) { b[30] = 3 },
		"16 bits a pixel are not read":           func(b []byte) { b[28] = 16 },
		"a header of 12 bytes, as OS/2 has":      func(b []byte) { b[14] = 12 },
	} {
		b := bytes.Clone(good)
		change(b)
		_, _, _, err := Decode(b, nil)
		require.ErrorContains(t, err, "BMP: ")
		require.ErrorContains(t, err, want)
		_, err = Memory(b, MaxPixels)
		require.ErrorContains(t, err, want)
	}
}

func FuzzDecode(f *testing.F) {
	all := fixtures(f)
	names := slices.Sorted(maps.Keys(all))
	for i, name := range names {
		f.Add(uint16(i), uint8(i), uint64(i), all[name][:min(len(all[name]), 64)])
	}
	f.Fuzz(func(t *testing.T, which uint16, kind uint8, seed uint64, data []byte) {
		name, rng := names[int(which)%len(names)], rand.New(rand.NewPCG(seed, 1))
		switch kind % 4 { // files are damaged here, since the fuzzer is slow with long inputs
		case 0:
		case 1:
			data = append(bytes.Clone(all[name][:min(len(all[name]), int(seed%4096))]), data...)
		case 2:
			data = damage.Defect(all[name], rng)
		case 3:
			data = aware(name)(all[name], rng)
		}
		if len(data) > 1<<14 {
			return
		}
		if need, err := Memory(data, MaxPixels); err == nil && need > 1<<22 {
			return // such a file would only be slow
		}
		if w, h, ok := claimed(data); ok && w*h > 1<<20 {
			return // such a file would only be slow
		}
		pix, height, width, err := Decode(data, nil)
		if need, bad := Memory(data, MaxPixels); err == nil && (bad != nil || need < int64(len(pix))) {
			t.Fatalf("%d bytes foreseen (%v) for %d samples", need, bad, len(pix))
		}
		if err == nil && (len(pix) != 3*height*width || len(pix) == 0) {
			t.Fatalf("%d samples for %dx%d pixels", len(pix), height, width)
		}
	})
}

// aware returns the function that damages a file of that format and corrects its checksums.
func aware(name string) func([]byte, *rand.Rand) []byte {
	switch filepath.Ext(name) {
	case ".png":
		return damage.PNG
	case ".jpg":
		return damage.JPEG
	case ".webp":
		return damage.WebP
	}
	return damage.Defect
}

// claimed returns the size that the header of a picture states.
func claimed(data []byte) (w, h int, ok bool) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	return c.Width, c.Height, err == nil
}
