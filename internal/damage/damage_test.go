package damage

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/webp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestBlind(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	data := bytes.Repeat([]byte("abcdefgh"), 20)
	changed := 0
	for range 500 {
		f := Flip(data, rng)
		require.Len(t, f, len(data))
		bits := 0
		for i := range f {
			for x := f[i] ^ data[i]; x != 0; x &= x - 1 {
				bits++
			}
		}
		require.Equal(t, 1, bits)
		c := Cut(data, rng)
		require.Less(t, len(c), len(data))
		require.True(t, bytes.HasPrefix(data, c))
		if !bytes.Equal(Defect(data, rng), data) {
			changed++
		}
	}
	require.Greater(t, changed, 480)
	for _, f := range []func([]byte, *rand.Rand) []byte{Flip, Cut, Defect, Zip, PNG, Tar, JPEG, WebP} {
		f(nil, rng)
		f([]byte{1}, rng)
	}
}

// TestDefectsBehindChecksums: nearly all damaged archives and pictures pass their checksums and differ from the intact
// one.
func TestDefectsBehindChecksums(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, name := range []string{"a", "b"} {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(w, "content of "+name)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 9, 7))))
	var members bytes.Buffer
	w := tar.NewWriter(&members)
	for _, name := range []string{"a", "b"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Size: 700}))
		_, err := w.Write(make([]byte, 700))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	whole, headers, changed := 0, 0, 0
	for range 200 {
		damaged := Zip(archive.Bytes(), rng)
		r, err := zip.NewReader(bytes.NewReader(damaged), int64(len(damaged)))
		require.NoError(t, err)
		for _, f := range r.File {
			c, err := f.Open()
			require.NoError(t, err)
			_, err = io.ReadAll(c)
			require.NoError(t, err, "the checksum is right")
		}
		if _, err := png.Decode(bytes.NewReader(PNG(picture.Bytes(), rng))); err == nil ||
			!bytes.Contains([]byte(err.Error()), []byte("checksum")) {
			whole++
		}
		damaged = Tar(members.Bytes(), rng)
		if !bytes.Equal(members.Bytes(), damaged) {
			changed++
		}
		if _, err := tar.NewReader(bytes.NewReader(damaged)).Next(); err == nil {
			headers++
		}
	}
	require.Greater(t, whole, 150)
	require.Greater(t, headers, 150)
	require.Greater(t, changed, 180)
}

// TestMessageChangesOneField: the damaged message can be encoded and decoded, nearly always differs from the intact
// one, and does not change the intact one.
func TestMessageChangesOneField(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	whole, err := structpb.NewStruct(map[string]any{"a": 1.5})
	require.NoError(t, err)
	for _, intact := range []proto.Message{
		whole, &durationpb.Duration{Seconds: 3, Nanos: 7}, &fieldmaskpb.FieldMask{Paths: []string{"a", "bc", "d"}},
		&structpb.ListValue{Values: []*structpb.Value{structpb.NewBoolValue(true), structpb.NewStringValue("b"),
			structpb.NewNumberValue(2)}},
		&wrapperspb.BytesValue{Value: []byte{1, 2}}, &wrapperspb.UInt64Value{Value: 1 << 63}, &emptypb.Empty{},
	} {
		before, changed := proto.Clone(intact), 0
		for range 200 {
			damaged := Message(intact, rng)
			require.True(t, proto.Equal(before, intact))
			data, err := proto.Marshal(damaged)
			require.NoError(t, err)
			again := damaged.ProtoReflect().New().Interface()
			require.NoError(t, proto.Unmarshal(data, again))
			if !proto.Equal(again, intact) {
				changed++
			}
		}
		switch intact.(type) {
		case *structpb.Struct, *emptypb.Empty: // a map, which Message does not change, or a message without fields
			require.Zero(t, changed)
		default:
			require.Greater(t, changed, 130, "%v", intact)
		}
	}
}

// TestDefectsOfPictures: the parser's segments of an intact picture make the same bytes again, nearly every defect
// changes the bytes, and with most defects a decoder still gets to the pixels.
func TestDefectsOfPictures(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for name, c := range map[string]struct {
		harm   func([]byte, *rand.Rand) []byte
		decode func(io.Reader) (image.Image, error)
	}{"rgb_420.jpg": {JPEG, jpeg.Decode}, "lossy.webp": {WebP, webp.Decode}, "lossless.webp": {WebP, webp.Decode}} {
		file, err := os.ReadFile(filepath.Join("..", "..", "dataset", "testdata", "pictures", name))
		require.NoError(t, err)
		before, changed, decoded, sizes := bytes.Clone(file), 0, 0, map[int]bool{}
		for range 300 {
			damaged := c.harm(file, rng)
			require.Equal(t, before, file)
			sizes[len(damaged)] = true
			if !bytes.Equal(damaged, file) {
				changed++
				if _, err := c.decode(bytes.NewReader(damaged)); err == nil {
					decoded++
				}
			}
		}
		t.Logf("%s: %d of 300 changed, %d of these decode", name, changed, decoded)
		require.Greater(t, changed, 230, name)
		require.Greater(t, decoded, 30, name)
		require.Greater(t, len(sizes), 20, name)
	}
	file, err := os.ReadFile(filepath.Join("..", "..", "dataset", "testdata", "pictures", "rgb_420.jpg"))
	require.NoError(t, err)
	markers := 0
	for _, s := range jpegSegments(file) {
		markers += 2 + len(s.scan)
		if s.payload != nil {
			markers += 2 + len(s.payload)
		}
	}
	require.Equal(t, len(file), 2+markers, "all of the file is in segments")
}
