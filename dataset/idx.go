package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/line-ood/goline/internal/fsfile"
)

// maxUnpacked is the largest size of a file that is read into memory, 16 GiB. Larger sets must be uncompressed, and
// are then read on demand.
const maxUnpacked = 16 << 30

// idxArray is an idx file of unsigned bytes: its shape and where its elements are.
// Format: the bytes 0, 0, 8 (unsigned byte), number of axes; each axis length as big-endian uint32; the elements.
type idxArray struct {
	shape []int
	src   io.ReaderAt
	first int64 // offset of the elements
	close io.Closer
}

// isIdx reports whether a file begins like an idx array of bytes with 1, 3 or 4 axes.
func isIdx(head []byte) bool {
	return len(head) >= 4 && head[0] == 0 && head[1] == 0 && head[2] == 8 && (head[3] == 1 || head[3] == 3 ||
		head[3] == 4)
}

// openIdx opens an images file, with the labels file of the source if there is one.
func openIdx(s source) (_ Dataset, err error) {
	images, err := readIdx(s.tree, s.path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && images.close != nil {
			images.close.Close()
		}
	}()
	n, height, width, colours, one, _, err := imagesShape(images.shape)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	r := &records{
		name: s.name, path: s.path, file: s.file(), label: s.label, src: images.src, closer: images.close,
		first: images.first, stride: one, n: n, height: height, width: width, colours: colours,
	}
	if s.labels == "" {
		return r, nil
	}
	if r.labels, err = readIdxLabels(s.tree, s.labels); err != nil {
		return nil, err
	}
	if len(r.labels) != n {
		return nil, fmt.Errorf("%s: expected %d labels, as %s has images, got %d", s.labels, n, s.path, len(r.labels))
	}
	return r, nil
}

// readIdxLabels reads a one-dimensional idx file.
func readIdxLabels(t tree, path string) ([]int, error) {
	a, err := readIdx(t, path)
	if err != nil {
		return nil, err
	}
	if a.close != nil {
		defer a.close.Close()
	}
	if len(a.shape) != 1 {
		return nil, fmt.Errorf("%s: expected labels of shape (N), got %v", path, a.shape)
	}
	raw := make([]byte, a.shape[0])
	if _, err := a.src.ReadAt(raw, a.first); err != nil && len(raw) > 0 {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	labels := make([]int, len(raw))
	for i, v := range raw {
		labels[i] = int(v)
	}
	return labels, nil
}

// readIdx reads the header of a plain or gzip file and checks that the size agrees with it. Plain files stay open;
// compressed ones are unpacked into memory.
func readIdx(t tree, path string) (_ *idxArray, err error) {
	f, size, err := t.openRegular(path)
	if err != nil {
		return nil, err
	}
	keep := false
	defer func() {
		if !keep {
			f.Close()
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	var magic [2]byte
	if _, err := f.ReadAt(magic[:], 0); err == nil && magic == [2]byte{0x1F, 0x8B} {
		return unpackIdx(io.NewSectionReader(f, 0, size), fsfile.UnpackLimit(size))
	}
	shape, header, err := idxHeader(io.NewSectionReader(f, 0, size))
	if err != nil {
		return nil, err
	}
	want, err := idxSize(shape)
	if err != nil {
		return nil, err
	}
	if size != header+want {
		return nil, fmt.Errorf("idx array of shape %v: expected %d bytes, got %d", shape, header+want, size)
	}
	keep = true
	return &idxArray{shape: shape, src: f, first: header, close: f}, nil
}

// unpackIdx reads a gzip file into memory, which it allocates as data arrive, not by the sizes that the header
// states.
func unpackIdx(f io.Reader, limit int64) (*idxArray, error) {
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	shape, header, err := idxHeader(z)
	if err != nil {
		return nil, err
	}
	want, err := idxSize(shape)
	if err != nil {
		return nil, err
	}
	if want > limit {
		return nil,
			fmt.Errorf("shape %v: expected at most %d bytes unpacked from a file of its size, got %d; unpack the file "+
				"to read it on demand", shape, limit, want)
	}
	var data bytes.Buffer
	got, err := io.Copy(&data, io.LimitReader(z, want+1))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	if got != want {
		more := ""
		if got > want {
			more = "more than "
		}
		return nil, fmt.Errorf("idx array of shape %v: expected %d bytes unpacked, got %s%d", shape, header+want, more,
			header+min(got, want))
	}
	return &idxArray{shape: shape, src: bytes.NewReader(data.Bytes())}, nil
}

// idxHeader reads magic number and shape and returns the header's length.
func idxHeader(r io.Reader) (shape []int, length int64, err error) {
	var b [4]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, 0, cutOff(err)
	}
	if !isIdx(b[:]) {
		return nil, 0,
			fmt.Errorf("expected the idx magic number 0x00000801 (labels), 0x00000803 (grey images) or 0x00000804 "+
				"(colour images), got %#x", b)
	}
	for range b[3] {
		var axis [4]byte
		if _, err := io.ReadFull(r, axis[:]); err != nil {
			return nil, 0, cutOff(err)
		}
		shape = append(shape, int(binary.BigEndian.Uint32(axis[:])))
	}
	return shape, 4 + 4*int64(len(shape)), nil
}

// idxSize returns the number of elements. The shape of images must be one that imagesShape accepts.
func idxSize(shape []int) (int64, error) {
	if len(shape) == 1 {
		return int64(shape[0]), nil
	}
	_, _, _, _, _, total, err := imagesShape(shape)
	return total, err
}

// cutOff replaces the error for a header that ends early by one in words.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("idx header is cut off: %w", io.ErrUnexpectedEOF)
	}
	return err
}
