package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/cuda"
)

// mirror is the value of a node in a replica that runs on a card. The value lies on the card, in the host's memory, or
// in both. Gorgonia's machine hands the mirror from operation to operation; only goline's own operations read it.
type mirror struct {
	dtype           tensor.Dtype
	shape           tensor.Shape
	n, size, stride int // samples, elements per sample, and stride from sample to sample on the card
	in              *region
	offset          int // elements from the start of the region
	host            func() (G.Value, error)
	given           G.Value // the last result of a stock operation

	onHost, onCard bool
	fixed          bool // the value never changes, so a copy of it stays valid
	staging        G.Value
	raw            cuda.Pinned // the memory of staging
}

func newMirror(dtype tensor.Dtype, shape tensor.Shape) *mirror {
	m := &mirror{dtype: dtype, shape: shape, n: 1}
	if len(shape) > 0 {
		m.n = shape[0]
	}
	m.size = shape.TotalSize() / m.n
	m.stride = m.size
	return m
}

// elementBytes returns the size of an element on the card.
func (m *mirror) elementBytes() int {
	if m.dtype == tensor.Float32 {
		return 4
	}
	return 8
}

// known tells whether kernels support the element type.
func (m *mirror) known() bool {
	return m.dtype == tensor.Float32 || m.dtype == tensor.Int || m.dtype == tensor.Uint64
}

func (m *mirror) bytes() int { return m.n * m.size * m.elementBytes() }

// at returns the address of the value on the card.
func (m *mirror) at() cuda.Ptr { return m.in.at.Add(m.offset * m.elementBytes()) }

// flat tells whether the samples are contiguous on the card.
func (m *mirror) flat() bool { return m.stride == m.size || m.n == 1 }

// upload queues the copy of the value to the card, unless it is there already.
func (m *mirror) upload(s *cuda.Stream) error {
	if m.onCard {
		return nil
	}
	v, err := m.host()
	if err != nil {
		return err
	}
	switch m.dtype {
	case tensor.Int:
		err = uploadWords[int](s, m, v)
		m.onCard = err == nil
		return err
	case tensor.Uint64:
		err = uploadWords[uint64](s, m, v)
		m.onCard = err == nil
		return err
	}
	a, err := arrayOf[float32](v)
	if err != nil {
		return err
	}
	if data, ok := a.flat(); ok && m.flat() {
		err = cuda.Upload(s, m.at(), data)
	} else {
		for i := 0; i < m.n && err == nil; i++ {
			err = cuda.Upload(s, m.at().Add(4*i*m.stride), a.sample(i))
		}
	}
	m.onCard = err == nil
	return err
}

func uploadWords[T int | uint64](s *cuda.Stream, m *mirror, v G.Value) error {
	data, err := sliceOf[T](v)
	if err != nil {
		return err
	}
	return cuda.Upload(s, m.at(), data)
}

// download returns the value in the host's memory. Where only the card has the value, download waits for the card.
func (m *mirror) download(s *cuda.Stream) (G.Value, error) {
	v, err := m.host()
	if err != nil || m.onHost {
		return v, err
	}
	if err := m.copyDown(s, v); err != nil {
		return nil, err
	}
	m.onHost = true
	return v, s.Sync()
}

// copyDown queues the copy of the value from the card into v.
func (m *mirror) copyDown(s *cuda.Stream, v G.Value) error {
	if m.dtype == tensor.Int {
		data, err := sliceOf[int](v)
		if err != nil {
			return err
		}
		return cuda.Download(s, data, m.at())
	}
	a, err := arrayOf[float32](v)
	if err != nil {
		return err
	}
	if data, ok := a.flat(); ok && m.flat() {
		return cuda.Download(s, data, m.at())
	}
	for i := 0; i < m.n && err == nil; i++ {
		err = cuda.Download(s, a.sample(i), m.at().Add(4*i*m.stride))
	}
	return err
}

func (m *mirror) Shape() tensor.Shape { return m.shape }
func (m *mirror) Size() int           { return m.shape.TotalSize() }
func (m *mirror) Data() any           { return nil }
func (m *mirror) Dtype() tensor.Dtype { return m.dtype }
func (m *mirror) MemSize() uintptr    { return uintptr(m.bytes()) }
func (m *mirror) Uintptr() uintptr    { return uintptr(m.in.at) }

func (m *mirror) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "value on a card, shape %v", m.shape) }
