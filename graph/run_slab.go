package graph

import (
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/internal/kernel"
)

// slab is memory in which operations of one replica, one after the other, put their values, so that a value is still in
// the processor's cache when it is read. It is allocated on first use.
type slab struct {
	dtype  tensor.Dtype
	size   int // number of elements of the largest value
	memory any
}

// dense returns a tensor in the slab's memory, and as many elements of that memory as the tensor has.
func (s *slab) dense(shape tensor.Shape) (*tensor.Dense, any) {
	var memory any
	switch n := shape.TotalSize(); s.dtype {
	case tensor.Float32:
		memory = cut[float32](s, n)
	case tensor.Float64:
		memory = cut[float64](s, n)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(memory)), memory
}

func cut[T kernel.Float](s *slab, n int) []T {
	if s.memory == nil {
		s.memory = kernel.Memory[T](s.size)
	}
	return s.memory.([]T)[:n:n]
}

// planMemory lets operations share memory. An operation may take the slab of an earlier one once every reader of that
// earlier one's value is among its own ancestors: the readers have then run, in whatever order the machine takes
// operations that do not depend on each other. An overwriter may itself be the last of the readers. A value that a
// stock operation reads keeps its memory, since the stock operation may hand it on as its own value. late names
// readers of a node beyond those that the graph knows.
func planMemory(order G.Nodes, late map[*G.Node]G.Nodes) {
	type tenant struct {
		slab    *slab
		owner   int // the newest operation that has it
		readers []int
		turns   *turns // the last stretch of operations of which one has the slab
	}
	at := make(map[*G.Node]int, len(order))
	for i, n := range order {
		at[n] = i
	}
	readers := make([][]int, len(order))
	stock := make([]bool, len(order)) // whether a stock operation reads the value
	for i, n := range order {
		_, own := n.Op().(*op)
		for _, c := range children(n) {
			j := at[c]
			readers[j] = append(readers[j], i)
			stock[j] = stock[j] || !own
		}
	}
	for n, by := range late {
		for _, r := range by {
			readers[at[n]] = append(readers[at[n]], at[r])
		}
	}
	var (
		before  = ancestors(order, at)
		tenants []*tenant
	)
	for i, n := range order {
		o, own := n.Op().(*op)
		if !own || stock[i] || o.out != nil || len(o.shape) == 0 || o.dtype != tensor.Float32 &&
			o.dtype != tensor.Float64 {
			continue
		}
		size := o.size()
		var best *tenant
		over := -1 // the input that may be overwritten
		if w, ok := o.fn.(overwriter); ok {
			over = at[o.in[w.overwrites()]]
		}
		for _, t := range tenants {
			if t.owner == over && t.slab.dtype == o.dtype && order[over].Shape().TotalSize() == size &&
				before[i].hasAllBut(t.readers, i) {
				best = t
				break
			}
			if o.turns != nil && t.turns == o.turns && !o.turns.inner(o) {
				continue // the next sample's values in between go there
			}
			if t.slab.dtype != o.dtype || !before[i].hasAll(t.readers) {
				continue
			}
			if best == nil || fits(t.slab.size, best.slab.size, size) {
				best = t
			}
		}
		if best == nil {
			best = &tenant{slab: &slab{dtype: o.dtype}}
			tenants = append(tenants, best)
		}
		best.slab.size = max(best.slab.size, size)
		best.owner, best.readers = i, readers[i]
		if o.turns != nil {
			best.turns = o.turns
		}
		o.slab = best.slab
	}
}

// overwriter is a function that can write its value over one of its inputs, element by element. It then stays in cache.
type overwriter interface{ overwrites() (input int) }

// fits tells whether a slab of a elements suits a value of size elements better than a slab of b elements. The best is
// the smallest that is large enough, or else the largest.
func fits(a, b, size int) bool {
	if a >= size && b >= size {
		return a < b
	}
	return a > b
}

// nodeSet is a set of positions in the order of nodes.
type nodeSet []uint64

func (s nodeSet) add(i int) { s[i/64] |= 1 << (i % 64) }

func (s nodeSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

func (s nodeSet) hasAll(is []int) bool {
	for _, i := range is {
		if !s.has(i) {
			return false
		}
	}
	return true
}

// hasAllBut is hasAll but for one position.
func (s nodeSet) hasAllBut(is []int, but int) bool {
	for _, i := range is {
		if i != but && !s.has(i) {
			return false
		}
	}
	return true
}

// ancestors returns, for each node, the set of nodes that must run before it. In order, each node comes after its
// inputs.
func ancestors(order G.Nodes, at map[*G.Node]int) []nodeSet {
	sets := make([]nodeSet, len(order))
	for i, n := range order {
		sets[i] = make(nodeSet, (len(order)+63)/64)
		for _, c := range children(n) {
			j := at[c]
			for k, w := range sets[j] {
				sets[i][k] |= w
			}
			sets[i].add(j)
		}
	}
	return sets
}

// ActivationBytes returns the size in bytes of the memory in which a worker holds the values of its operations, at the
// program's batch size. Memory that operations share counts once. Parameters and packed weights are not counted.
func (p *Program) ActivationBytes() int {
	seen := map[any]bool{}
	total := 0
	add := func(memory any, elements, size int) {
		if !seen[memory] {
			seen[memory] = true
			total += elements * size
		}
	}
	for _, n := range p.replicas[0].order {
		o, ok := n.Op().(*op)
		if !ok {
			continue
		}
		size := int(o.dtype.Size())
		if b, ok := o.out.(interface{ memory() (any, int) }); ok {
			of, elements := b.memory()
			add(of, elements, size)
		} else if o.slab != nil {
			add(o.slab, o.slab.size, size)
		} else {
			add(o, o.shape.TotalSize(), size)
		}
	}
	return total
}

// memory returns the buffer that a value lies in, and the buffer's number of elements.
func (p *planes[T]) memory() (buffer any, elements int) { return p.in, p.in.n * p.in.size }
