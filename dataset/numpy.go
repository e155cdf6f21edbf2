package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/sbinet/npyio/npy"

	"github.com/line-ood/goline/internal/npyz"
)

// Names of the arrays that an npz file may hold its images and labels under, in the order of preference.
var (
	imageNames = []string{"images", "x", "data", "arr_0"}
	labelNames = []string{"labels", "label", "y", "targets"}
)

// openNpy opens an npy file. The usual, row-major one stays on disk.
func openNpy(s source) (Dataset, error) {
	f, size, err := openRegular(s.path)
	if err != nil {
		return nil, err
	}
	r, err := readNpy(s, f, size)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	if r.closer == nil {
		f.Close()
	}
	return r, nil
}

func readNpy(s source, f *os.File, size int64) (*records, error) {
	h, first, err := npyHeader(f, size)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"|u1", "<u1", ">u1", "=u1", "u1"}, h.Descr.Type) {
		return nil, fmt.Errorf("images of dtype %s, want uint8 (dtype |u1)", h.Descr.Type)
	}
	n, height, width, colours, one, total, err := imagesShape(h.Descr.Shape)
	if err != nil {
		return nil, err
	}
	if size != first+total {
		return nil, fmt.Errorf("%d bytes, but an array of shape %v has %d behind a header of %d", size, h.Descr.Shape, total, first)
	}
	r := &records{
		name: s.name, path: s.path, label: s.label, src: f, closer: f, first: first, stride: one,
		n: n, height: height, width: width, colours: colours,
	}
	if h.Descr.Fortran {
		// One image's bytes lie apart from each other: read the whole array once.
		a, err := npyz.ReadNpy(io.NewSectionReader(f, 0, size))
		if err != nil {
			return nil, err
		}
		r.src, r.closer, r.first = bytes.NewReader(a.Data.([]uint8)), nil, 0
	}
	return r, nil
}

// npyHeader reads the header of an npy file and returns where the data begin.
func npyHeader(f io.ReaderAt, size int64) (h npy.Header, first int64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("npy header: %v", p)
		}
	}()
	var b [12]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return h, 0, fmt.Errorf("npy header is cut off: %w", io.ErrUnexpectedEOF)
	}
	if string(b[:6]) != "\x93NUMPY" {
		return h, 0, errors.New("not a NumPy array file (bad magic number)")
	}
	if b[6] == 1 {
		first = 10 + int64(binary.LittleEndian.Uint16(b[8:]))
	} else {
		first = 12 + int64(binary.LittleEndian.Uint32(b[8:]))
	}
	const maxHeader = 1 << 16
	if first > min(size, maxHeader) {
		return h, 0, fmt.Errorf("npy header of %d bytes in a file of %d", first, size)
	}
	r, err := npy.NewReader(io.NewSectionReader(f, 0, first))
	if err != nil {
		return h, 0, fmt.Errorf("npy header: %w", err)
	}
	return r.Header, first, nil
}

// openNpz reads images and labels of an npz archive into memory.
func openNpz(s source) (Dataset, error) {
	f, size, err := openRegular(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := npyz.NewReader(f, size, s.path)
	if err != nil {
		return nil, err
	}
	name := firstOf(z, imageNames)
	if name == "" {
		return nil, fmt.Errorf("%s: none of the arrays %s; the archive has %s",
			s.path, strings.Join(imageNames, ", "), strings.Join(z.Names(), ", "))
	}
	shape, err := z.Shape(name)
	if err != nil {
		return nil, err
	}
	n, height, width, colours, one, _, err := imagesShape(shape)
	if err != nil {
		return nil, fmt.Errorf("%s: array %q: %w", s.path, name, err)
	}
	a, err := z.Read(name)
	if err != nil {
		return nil, err
	}
	pix, ok := a.Data.([]uint8)
	if !ok {
		return nil, fmt.Errorf("%s: array %q: images of dtype %s, want uint8", s.path, name, a.TypeName())
	}
	r := &records{
		name: s.name, path: s.path, label: s.label, src: bytes.NewReader(pix), stride: one,
		n: n, height: height, width: width, colours: colours,
	}
	if r.labels, err = npzLabels(z, s.path, n); err != nil {
		return nil, err
	}
	return r, nil
}

// npzLabels reads the labels, nil if the archive has none.
func npzLabels(z *npyz.Reader, path string, n int) ([]int, error) {
	name := firstOf(z, labelNames)
	if name == "" {
		return nil, nil
	}
	a, err := z.Read(name)
	if err != nil {
		return nil, err
	}
	switch a.Data.(type) {
	case []uint8, []int32, []int64:
	default:
		return nil, fmt.Errorf("%s: array %q: labels of dtype %s, want integers", path, name, a.TypeName())
	}
	if len(a.Shape) != 1 || a.Shape[0] != n {
		return nil, fmt.Errorf("%s: array %q: labels of shape %v for %d images, want [%d]", path, name, a.Shape, n, n)
	}
	labels, err := a.AsInts()
	if err != nil {
		return nil, fmt.Errorf("%s: array %q: %w", path, name, err)
	}
	for i, v := range labels {
		if v < -1 {
			return nil, fmt.Errorf("%s: array %q: record %d has label %d, want a class index, or -1 for unknown", path, name, i, v)
		}
	}
	return labels, nil
}

func firstOf(z *npyz.Reader, names []string) string {
	for _, name := range names {
		if z.Has(name) {
			return name
		}
	}
	return ""
}
