package graph

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// clock adds up the time that one operation takes. A nil clock does nothing.
type clock struct{ nanos, runs atomic.Int64 }

// start starts a measurement and returns the function that ends it.
func (c *clock) start() (stop func()) {
	if c == nil {
		return func() {}
	}
	begin := time.Now()
	return func() {
		c.nanos.Add(time.Since(begin).Nanoseconds())
		c.runs.Add(1)
	}
}

// part is start for a part of a run, the time of which the clock whole measures, too: it counts as that of c instead.
func (c *clock) part(whole *clock) (stop func()) {
	if c == nil {
		return func() {}
	}
	begin := time.Now()
	return func() {
		d := time.Since(begin).Nanoseconds()
		c.nanos.Add(d)
		whole.nanos.Add(-d)
	}
}

// OpProfile is the cost of one kind of operation in all replicas together.
type OpProfile struct {
	Name  string        // of the kind, for example "Affine→ReLU→Conv2D 1×1"
	Nodes int           // nodes of that kind in the graph
	Time  time.Duration // spent in them since the program was compiled
	FLOPs int           // floating-point operations done in them, in convolutions and matrix products only
	// Device is where the operations of this kind run. In a program for a card it is [CPU] for operations without a
	// kernel for cards; their time includes the copies. The time of an operation on a card is from its queueing to its
	// end; with a profile, only one operation is under way at a time.
	Device Device
}

func (k *packer[T]) window() string { return fmt.Sprintf("%d×%d", k.geom.KH, k.geom.KW) }

// Profile returns the cost of the program's operations so far, the most expensive first. It is empty unless the program
// was compiled with [Options].Profile.
func (p *Program) Profile() []OpProfile {
	kinds := map[string]*OpProfile{}
	for i, r := range p.replicas {
		for _, n := range r.order {
			o, ok := n.Op().(*op)
			if !ok || o.clock == nil {
				continue
			}
			name, work := o.name, flops(n)
			if t, ok := o.fn.(*chainTail); ok {
				name, work = t.name, t.work*o.shape[0]
			} else if g, ok := o.fn.(interface{ window() string }); ok {
				name += " " + g.window()
			}
			device := CPU
			if _, fetches := o.fn.(fetcher); o.form != nil || fetches && o.place != nil {
				device = p.options.Device
			}
			key := name + string(device)
			k := kinds[key]
			if k == nil {
				k = &OpProfile{Name: name, Device: device}
				kinds[key] = k
			}
			if i == 0 {
				k.Nodes++
			}
			k.Time += time.Duration(o.clock.nanos.Load())
			k.FLOPs += work * int(o.clock.runs.Load())
		}
	}
	return slices.SortedFunc(func(yield func(OpProfile) bool) {
		for _, name := range slices.Sorted(maps.Keys(kinds)) {
			if !yield(*kinds[name]) {
				return
			}
		}
	}, func(a, b OpProfile) int { return cmp.Compare(b.Time, a.Time) })
}
