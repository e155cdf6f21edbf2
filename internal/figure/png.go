package figure

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"io"
)

// encodePNG writes an image as PNG, the rows of an opaque drawing compressed as they are. Package image/png first
// chooses a filter for each row, which suits photographs, but makes drawings, mostly areas of one colour, larger and
// takes more time than all the rest.
func encodePNG(w io.Writer, img image.Image) error {
	rgba, ok := img.(*image.RGBA)
	if !ok || img.Bounds().Empty() || !rgba.Opaque() {
		return png.Encode(w, img)
	}
	size := rgba.Bounds().Size()
	header := binary.BigEndian.AppendUint32(nil, uint32(size.X))
	header = binary.BigEndian.AppendUint32(header, uint32(size.Y))
	header = append(header, 8, 2, 0, 0, 0) // bits a channel; RGB; deflate, filters by row, not interlaced
	var data bytes.Buffer
	z := zlib.NewWriter(&data)
	row := make([]byte, 1+3*size.X) // the row's filter, 0 for none, then its pixels
	for y := range size.Y {
		pix := rgba.Pix[y*rgba.Stride:]
		for x := range size.X {
			copy(row[1+3*x:], pix[4*x:][:3])
		}
		if _, err := z.Write(row); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	file := []byte("\x89PNG\r\n\x1a\n")
	file = appendChunk(file, "IHDR", header)
	file = appendChunk(file, "IDAT", data.Bytes())
	_, err := w.Write(appendChunk(file, "IEND", nil))
	return err
}

// appendChunk appends a chunk of a PNG file: the length of its data, its name, the data, and a checksum of both.
func appendChunk(file []byte, name string, data []byte) []byte {
	file = binary.BigEndian.AppendUint32(file, uint32(len(data)))
	at := len(file)
	file = append(append(file, name...), data...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(file[at:]))
}
