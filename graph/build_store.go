package graph

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// store holds what the replicas of a program share: the values of parameters and constants, and the packed forms of
// convolutions and matrices that are made from them.
type store struct {
	tensors map[fixedKey]*tensor.Dense // used while the replicas are built, one after the other
	mu      sync.Mutex
	convs   map[convKey]any
	rights  map[rightKey]any
	todo    []func() // packing that is left
}

func newStore() *store {
	return &store{tensors: map[fixedKey]*tensor.Dense{}, convs: map[convKey]any{}, rights: map[rightKey]any{}}
}

// pack does what packing is left, on all processors: most of the time that compiling a program for one image takes.
func (s *store) pack() {
	var (
		group sync.WaitGroup
		next  atomic.Int64
	)
	for range min(runtime.GOMAXPROCS(0), len(s.todo)) {
		group.Go(func() {
			for i := next.Add(1); i <= int64(len(s.todo)); i = next.Add(1) {
				s.todo[i-1]()
			}
		})
	}
	group.Wait()
	s.todo = nil
}

// tensor returns the tensor of that key, made on first use.
func (s *store) tensor(key fixedKey, build func() (*tensor.Dense, error)) (*tensor.Dense, error) {
	if t, ok := s.tensors[key]; ok {
		return t, nil
	}
	t, err := build()
	if err == nil {
		s.tensors[key] = t
	}
	return t, err
}

// convKey tells packed convolutions apart by their geometry and by the memory of the parameters that they were packed
// from.
type convKey struct {
	geom                kernel.ConvGeom
	preReLU, bf16       bool
	post                kernel.Activation
	w, ps, pb, qs, qb   unsafe.Pointer
	weights, pre, posts int
}

// sharedConv returns the packed form of a convolution whose parameters do not change, made on first use.
func sharedConv[T kernel.Float](s *store, spec kernel.ConvSpec[T]) (*kernel.Conv[T], error) {
	if s == nil {
		return kernel.NewConv(spec)
	}
	at := func(v []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(v)) }
	key := convKey{
		spec.Geom, spec.PreReLU, spec.BFloat16, spec.Post,
		at(spec.Weight), at(spec.PreScale), at(spec.PreShift), at(spec.PostScale), at(spec.PostShift),
		len(spec.Weight), len(spec.PreScale), len(spec.PostShift),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.convs[key]; ok {
		return c.(*kernel.Conv[T]), nil
	}
	c, err := kernel.NewConv(spec)
	if err == nil {
		s.convs[key] = c
	}
	return c, err
}

// rightKey tells packed matrices apart by the memory that they were packed from.
type rightKey struct {
	from       unsafe.Pointer
	k, n, of   int // of: bytes of one element
	transposed bool
}

// sharedRight returns the packed form of a matrix that does not change, made on first use, or which the store's pack is
// to make.
func sharedRight[T kernel.Float](s *store, b []T, k, n int, transposed bool) *kernel.Right[T] {
	if s == nil {
		r := kernel.NewRight[T](k, n)
		r.Pack(b, transposed)
		return r
	}
	key := rightKey{unsafe.Pointer(unsafe.SliceData(b)), k, n, int(unsafe.Sizeof(*new(T))), transposed}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.rights[key]; ok {
		return r.(*kernel.Right[T])
	}
	r := kernel.NewRight[T](k, n)
	s.todo = append(s.todo, func() { r.Pack(b, transposed) })
	s.rights[key] = r
	return r
}
