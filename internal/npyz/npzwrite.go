package npyz

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/line-ood/goline/internal/atomicfile"
)

// Compression says how an archive's members are stored.
type Compression uint16

const (
	// Stored stores the bytes as they are: fast, and right for floating-point data, which hardly compresses.
	Stored = Compression(zip.Store)
	// Deflated compresses each member.
	Deflated = Compression(zip.Deflate)
)

// timestamp returns the earliest date of the zip format. Every member has this date, so that equal arrays give equal
// bytes.
func timestamp() time.Time { return time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Writer writes an npz archive to a stream, one array after the other.
type Writer struct {
	z     *zip.Writer
	c     Compression
	names map[string]bool
	open  string // name of the array whose rows are being written
	err   error  // the first failure, after which the stream cannot be used
}

// NewWriter returns a writer of an archive to w. [Writer.Close] completes the archive and does not close w.
func NewWriter(w io.Writer, c Compression) *Writer {
	return &Writer{z: zip.NewWriter(w), c: c, names: map[string]bool{}}
}

// Write adds an array. The name must not be taken; it is given without the ".npy" that the member's name has.
func (z *Writer) Write(name string, a Array) error {
	// This check comes before the member is created, so that the archive stays usable after an array was refused.
	err := a.validate()
	if texts, ok := a.Data.([]string); ok && err == nil {
		_, err = textWidth(texts)
	}
	if err != nil {
		return fmt.Errorf("write array %q: %w", name, err)
	}
	w, err := z.create(name)
	if err != nil {
		return err
	}
	return z.keep(name, writeArray(w, a))
}

// create starts a member.
func (z *Writer) create(name string) (io.Writer, error) {
	switch {
	case z.err != nil:
		return nil, z.err
	case z.open != "":
		return nil, fmt.Errorf("write array %q: rows of array %q are still being written", name, z.open)
	case name == "" || !utf8.ValidString(name) || strings.HasSuffix(name, "/") || strings.HasSuffix(name, ".npy"):
		return nil, fmt.Errorf("write array %q: not usable as an array name", name)
	case len(name) > 1<<15:
		return nil, fmt.Errorf("write array %.20q...: name of %d bytes", name, len(name))
	case z.names[name]:
		return nil, fmt.Errorf("write array %q: name comes twice", name)
	}
	w, err := z.z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: uint16(z.c), Modified: timestamp()})
	if err != nil {
		return nil, z.keep(name, err)
	}
	z.names[name] = true
	return w, nil
}

// keep records a failure after which the stream cannot be used.
func (z *Writer) keep(name string, err error) error {
	if err == nil {
		return nil
	}
	z.err = fmt.Errorf("write array %q: %w", name, err)
	return z.err
}

// Close writes the table of contents. It returns an error if something failed before, or if rows are missing.
func (z *Writer) Close() error {
	if z.err != nil {
		return z.err
	}
	if z.open != "" {
		return fmt.Errorf("rows of array %q are still being written", z.open)
	}
	z.err = errors.New("npz archive is closed")
	return z.z.Close()
}

// Named is an array with its name in an archive.
type Named struct {
	Name string
	Array
}

// WriteNpz creates or replaces the archive at path. It is written completely or not at all.
func WriteNpz(path string, c Compression, arrays ...Named) error {
	return CreateNpz(path, c, func(z *Writer) error {
		for _, a := range arrays {
			if err := z.Write(a.Name, a.Array); err != nil {
				return err
			}
		}
		return nil
	})
}

// CreateNpz creates or replaces the archive at path with the arrays that fill writes. If fill fails, path is left as it
// was.
func CreateNpz(path string, c Compression, fill func(*Writer) error) error {
	return atomicfile.Write(path, func(w io.Writer) error { return FillNpz(w, c, fill) })
}

// FillNpz writes an archive with the arrays that fill writes to a stream.
func FillNpz(w io.Writer, c Compression, fill func(*Writer) error) error {
	z := NewWriter(w, c)
	if err := fill(z); err != nil {
		return err
	}
	return z.Close()
}
