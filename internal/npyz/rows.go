package npyz

import (
	"fmt"
	"io"
	"slices"
)

// Numeric is the set of element types of fixed size.
type Numeric interface {
	float32 | float64 | int64 | int32 | uint8 | bool
}

// Rows writes an array row by row, so that not all of it needs to be in memory.
type Rows[T Numeric] struct {
	w     io.Writer
	name  string
	total int // number of elements
	row   int // elements of a row
	done  int // elements written so far
	z     *Writer
	err   error
}

// NewRows starts an array of the given shape in an archive. Until [Rows.Close] nothing else can be written to z.
func NewRows[T Numeric](z *Writer, name string, shape ...int) (*Rows[T], error) {
	total, err := rowsShape(shape)
	if err != nil {
		return nil, fmt.Errorf("write array %q: %w", name, err)
	}
	w, err := z.create(name)
	if err != nil {
		return nil, err
	}
	z.open = name
	r := &Rows[T]{w: w, name: name, total: total, row: product(shape[1:]), z: z}
	return r, r.header(shape)
}

func rowsShape(shape []int) (int, error) {
	if len(shape) == 0 {
		return 0, fmt.Errorf("an array without axes has no rows")
	}
	if slices.Contains(shape[1:], 0) {
		return 0, fmt.Errorf("shape %v has empty rows", shape)
	}
	return elements(shape)
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func (r *Rows[T]) header(shape []int) error {
	descr, err := descrOf([]T(nil))
	if err != nil {
		return r.keep(err)
	}
	_, err = r.w.Write(appendHeader(nil, descr, shape))
	return r.keep(err)
}

// Write appends whole rows, flat in row-major order.
func (r *Rows[T]) Write(rows []T) error {
	if r.err != nil {
		return r.err
	}
	if len(rows)%r.row != 0 {
		return fmt.Errorf("write array %q: expected whole rows of %d elements, got %d", r.name, r.row, len(rows))
	}
	if len(rows) > r.total-r.done {
		return fmt.Errorf("write array %q: expected %d rows, got %d",
			r.name, r.total/r.row, (r.done+len(rows))/r.row)
	}
	if err := writeData(r.w, rows); err != nil {
		return r.keep(err)
	}
	r.done += len(rows)
	return nil
}

// Close completes the array. It returns an error if fewer rows were written than the shape says.
func (r *Rows[T]) Close() error {
	if r.err != nil {
		return r.err
	}
	if r.done != r.total {
		return r.keep(fmt.Errorf("expected %d rows, got %d", r.total/r.row, r.done/r.row))
	}
	if r.z.open == r.name {
		r.z.open = ""
	}
	return nil
}

// keep records a failure, here and in the archive, whose stream cannot be used after it either.
func (r *Rows[T]) keep(err error) error {
	if err == nil {
		return nil
	}
	r.err = r.z.keep(r.name, err)
	return r.err
}
