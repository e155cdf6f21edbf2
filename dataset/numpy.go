package dataset

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/internal/npyz"
)

// Names of the arrays in an npz file that may hold images and labels, in the order of preference.
var (
	imageNames = []string{"images", "x", "data", "arr_0"}
	labelNames = []string{"labels", "label", "y", "targets"}
)

// openNpy opens an npy file. An array in the usual row-major order stays on disk.
func openNpy(s source) (Dataset, error) {
	f, size, err := s.tree.openRegular(s.path)
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

func readNpy(s source, f fsfile.File, size int64) (*records, error) {
	h, first, err := npyz.ReadHeader(io.NewSectionReader(f, 0, size))
	if err != nil {
		return nil, err
	}
	if !h.IsUint8() {
		return nil, fmt.Errorf("expected images of dtype |u1 (uint8), got %s", h.Dtype)
	}
	n, height, width, colours, one, total, err := imagesShape(h.Shape)
	if err != nil {
		return nil, err
	}
	if size != first+total {
		return nil, fmt.Errorf("shape %v: expected %d bytes behind a header of %d, got %d", h.Shape, total, first,
			size-first)
	}
	r := &records{
		name: s.name, path: s.path, file: s.file(), label: s.label, src: f, closer: f, first: first, stride: one,
		n: n, height: height, width: width, colours: colours,
	}
	if h.Fortran {
		// The bytes of an image are not contiguous: read the whole array once.
		a, err := npyz.ReadNpy(io.NewSectionReader(f, 0, size))
		if err != nil {
			return nil, err
		}
		r.src, r.closer, r.first = bytes.NewReader(a.Data.([]uint8)), nil, 0
	}
	return r, nil
}

// openNpz reads images and labels of an npz archive into memory.
func openNpz(s source) (Dataset, error) {
	f, size, err := s.tree.openRegular(s.path)
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
		return nil, fmt.Errorf("%s: expected one of the arrays %s, got %s",
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
		return nil, fmt.Errorf("%s: array %q: expected images of uint8, got %s", s.path, name, a.TypeName())
	}
	r := &records{
		name: s.name, path: s.path, file: s.file(), label: s.label, src: bytes.NewReader(pix), stride: one,
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
		return nil, fmt.Errorf("%s: array %q: expected labels of integers, got %s", path, name, a.TypeName())
	}
	if len(a.Shape) != 1 || a.Shape[0] != n {
		return nil, fmt.Errorf("%s: array %q: expected labels of shape [%d], got %v", path, name, n, a.Shape)
	}
	labels, err := a.AsInts()
	if err != nil {
		return nil, fmt.Errorf("%s: array %q: %w", path, name, err)
	}
	for i, v := range labels {
		if err := checkLabel(v, 0); err != nil {
			return nil, fmt.Errorf("%s: array %q: record %d: %w", path, name, i, err)
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
