package npyz

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/line-ood/goline/internal/fsfile"
)

// Reader gives access to the arrays of an npz archive one by one.
type Reader struct {
	label string // the archive's name in errors
	size  int64
	limit int64 // the most bytes that one array may unpack to
	names []string
	files map[string]*zip.File
	close func() error
}

// OpenNpz opens the archive at path. It reads the table of contents only; [Reader.Read] reads arrays.
func OpenNpz(path string) (*Reader, error) {
	f, err := fsfile.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, unwrapPath(err))
	}
	size, err := regularSize(f)
	if err == nil {
		var r *Reader
		if r, err = NewReader(f, size, path); err == nil {
			r.close = f.Close
			return r, nil
		}
		f.Close()
		return nil, err
	}
	f.Close()
	return nil, fmt.Errorf("read %s: %w", path, err)
}

// ErrTooLarge is the cause of errors about archives that would unpack to far more bytes than they have.
var ErrTooLarge = errors.New("the archive unpacks to far more than its size")

// NewReader returns a reader of the archive of the given size in bytes in r. label is the archive's name in errors.
func NewReader(r io.ReaderAt, size int64, label string) (_ *Reader, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read %s: malformed zip archive: %s", label, fsfile.GaveUp(p))
		}
	}()
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("read %s: npz archive: %w", label, err)
	}
	out := &Reader{label: label, size: size, limit: fsfile.UnpackLimit(size), files: map[string]*zip.File{},
		close: func() error { return nil }}
	packed := uint64(0)
	for _, f := range z.File {
		// Members that share bytes could cause any amount of work.
		if packed += f.CompressedSize64; f.CompressedSize64 > uint64(size) || packed > uint64(size) {
			return nil, fmt.Errorf("read %s: npz archive is damaged: its members overlap", label)
		}
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		name := strings.TrimSuffix(f.Name, ".npy")
		if _, twice := out.files[name]; twice {
			return nil, fmt.Errorf("read %s: array %q comes twice", label, name)
		}
		out.files[name] = f
		out.names = append(out.names, name)
	}
	if err := fsfile.CheckZipNames(r, z.File); err != nil {
		return nil, fmt.Errorf("read %s: %w", label, err)
	}
	return out, nil
}

// Close closes the file. Arrays that have been read stay valid.
func (r *Reader) Close() error { return r.close() }

// Names lists the arrays in the archive's order, without the ".npy" of the member names.
func (r *Reader) Names() []string { return slices.Clone(r.names) }

// Has reports whether the archive holds an array of that name.
func (r *Reader) Has(name string) bool { return r.files[name] != nil }

// Shape returns the shape of an array without reading its data.
func (r *Reader) Shape(name string) ([]int, error) {
	var shape []int
	err := r.open(name, func(rc io.Reader, _ int64) error {
		h, err := readHeader(rc)
		if err != nil {
			return err
		}
		shape = h.Shape
		_, err = elements(shape)
		return err
	})
	return shape, err
}

// Read reads one array and verifies its checksum; see [ReadNpy] for the types. Errors name archive and array.
func (r *Reader) Read(name string) (Array, error) {
	var a Array
	err := r.open(name, func(rc io.Reader, limit int64) (err error) {
		if a, err = guarded(rc, limit); err != nil {
			return err
		}
		return atEnd(rc)
	})
	if err != nil {
		return Array{}, err
	}
	return a, nil
}

// open calls use with the bytes of a member. limit is the number of these bytes if the size of the archive makes it
// credible, otherwise -1.
func (r *Reader) open(name string, use func(rc io.Reader, limit int64) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed zip member: %s", fsfile.GaveUp(p))
		}
		if err != nil {
			err = fmt.Errorf("read %s: array %q: %w", r.label, name, err)
		}
	}()
	f := r.files[name]
	if f == nil {
		return fmt.Errorf("no such array; the archive has %s", list(r.names))
	}
	if f.UncompressedSize64 > uint64(r.limit) {
		return fmt.Errorf("expected at most %d bytes unpacked from an archive of %d, got %d: %w", r.limit, r.size,
			f.UncompressedSize64, ErrTooLarge)
	}
	rc, err := f.Open()
	if err != nil {
		return err
	}
	defer rc.Close()
	limit := int64(-1)
	if size := f.UncompressedSize64; f.Method == zip.Store && int64(size) <= r.size {
		limit = int64(size)
	}
	return use(rc, limit)
}

// list formats some names for an error; of many it gives the first few.
func list(names []string) string {
	const shown = 8
	switch {
	case len(names) == 0:
		return "no arrays"
	case len(names) > shown:
		return fmt.Sprintf("%q and %d more", names[:shown], len(names)-shown)
	}
	return fmt.Sprintf("%q", names)
}

// Archive is an npz archive in memory.
type Archive struct {
	label  string
	names  []string
	arrays map[string]Array
}

// ReadNpz reads all arrays of the archive at path. Errors name path and array.
func ReadNpz(path string) (*Archive, error) {
	r, err := OpenNpz(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.ReadAll()
}

// ReadAll reads all arrays of the archive.
func (r *Reader) ReadAll() (*Archive, error) {
	var total uint64
	for name, f := range r.files {
		if total += f.UncompressedSize64; f.UncompressedSize64 > uint64(r.limit) || total > uint64(r.limit) {
			return nil, fmt.Errorf("read %s: array %q: expected at most %d bytes unpacked from an archive of %d: %w",
				r.label, name, r.limit, r.size, ErrTooLarge)
		}
	}
	a := &Archive{label: r.label, names: r.Names(), arrays: make(map[string]Array, len(r.names))}
	for _, name := range r.names {
		array, err := r.Read(name)
		if err != nil {
			return nil, err
		}
		a.arrays[name] = array
	}
	return a, nil
}

// NewArchive returns an archive of arrays in memory, as if it had been read. label is the archive's name in errors.
func NewArchive(label string, arrays ...Named) *Archive {
	a := &Archive{label: label, arrays: make(map[string]Array, len(arrays))}
	for _, n := range arrays {
		a.names = append(a.names, n.Name)
		a.arrays[n.Name] = n.Array
	}
	return a
}

// Names lists the arrays in the archive's order.
func (a *Archive) Names() []string { return slices.Clone(a.names) }

// Has reports whether the archive holds an array of that name.
func (a *Archive) Has(name string) bool { _, ok := a.arrays[name]; return ok }

// All iterates over the arrays in the archive's order.
func (a *Archive) All() iter.Seq2[string, Array] {
	return func(yield func(string, Array) bool) {
		for _, name := range a.names {
			if !yield(name, a.arrays[name]) {
				return
			}
		}
	}
}

// Get returns the array of that name. If there is none, the error lists the names that exist.
func (a *Archive) Get(name string) (Array, error) {
	array, ok := a.arrays[name]
	if !ok {
		return Array{}, fmt.Errorf("read %s: array %q: no such array; the archive has %s", a.label, name, list(a.names))
	}
	return array, nil
}

// Float32 returns the elements of an array that must have the given shape, where a negative length stands for any
// length; see [Array.AsFloat32] for the types that it accepts.
func (a *Archive) Float32(name string, shape ...int) ([]float32, error) {
	return fetch(a, name, shape, Array.AsFloat32)
}

// Float64 returns the elements of an array that must have the given shape, where a negative length stands for any
// length; see [Array.AsFloat64] for the types that it accepts.
func (a *Archive) Float64(name string, shape ...int) ([]float64, error) {
	return fetch(a, name, shape, Array.AsFloat64)
}

// Int64 returns the elements of an array that must have the given shape, where a negative length stands for any length;
// see [Array.AsInt64] for the types that it accepts.
func (a *Archive) Int64(name string, shape ...int) ([]int64, error) {
	return fetch(a, name, shape, Array.AsInt64)
}

// Ints returns the elements of an array that must have the given shape, where a negative length stands for any length;
// see [Array.AsInts] for the types that it accepts.
func (a *Archive) Ints(name string, shape ...int) ([]int, error) {
	return fetch(a, name, shape, Array.AsInts)
}

// Strings returns the elements of a string array that must have the given shape, where a negative length stands for any
// length.
func (a *Archive) Strings(name string, shape ...int) ([]string, error) {
	return fetch(a, name, shape, Array.AsStrings)
}

// String returns the only element of a 0-dimensional string array.
func (a *Archive) String(name string) (string, error) {
	s, err := a.Strings(name)
	if err != nil {
		return "", err
	}
	return s[0], nil
}

func fetch[T any](a *Archive, name string, shape []int, as func(Array) ([]T, error)) ([]T, error) {
	array, err := a.Get(name)
	if err != nil {
		return nil, err
	}
	if err := array.CheckShape(shape...); err != nil {
		return nil, fmt.Errorf("read %s: array %q: %w", a.label, name, err)
	}
	data, err := as(array)
	if err != nil {
		return nil, fmt.Errorf("read %s: array %q: %w", a.label, name, err)
	}
	return data, nil
}
