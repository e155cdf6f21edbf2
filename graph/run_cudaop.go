//go:build cuda

package graph

import (
	"fmt"
	"runtime/debug"
	"strconv"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/cuda"
)

// cudaOp is an operation in the form that Gorgonia's CUDA machine runs.
type cudaOp struct {
	*op
	machine *CUDAMachine
}

var _ G.CUDADoer = cudaOp{}

func (cudaOp) ReturnsPtr() bool  { return true } // both must be true for the machine to allocate the output on the card
func (cudaOp) CallsExtern() bool { return true }

// CUDADo queues the operation's kernels on the stream of Gorgonia's machine, behind the work that the machine itself
// has deferred. It does not use Gorgonia's queue of launches, which cannot pass the structures that goline's kernels
// take as parameters.
func (o cudaOp) CUDADo(extern G.External, dev G.Device, out G.Value, in ...G.Value) (v G.Value, err error) {
	defer func() {
		if r := recover(); r != nil { // Gorgonia calls this on a goroutine of its own
			err = fmt.Errorf("%s: panic: %v\n%s", o.name, r, debug.Stack())
		}
	}()
	machine, ok := extern.(G.CUDAMachine)
	if !ok {
		return nil, fmt.Errorf("%s: expected Gorgonia's machine for CUDA, got %T", o.name, extern)
	}
	engine := &machine.Engines()[int(dev)]
	if err := engine.DoWork(); err != nil {
		return nil, err
	}
	if o.machine.context == nil {
		if err := o.machine.settle(int(dev), engine.Context().CUDAContext().String()); err != nil {
			return nil, err
		}
	}
	for i, v := range in {
		o.sources[i].in = &region{at: cuda.Ptr(v.Uintptr())}
	}
	o.value.in = &region{at: cuda.Ptr(out.Uintptr())}
	if err := o.form.run(&deviceCall{p: o.machine.place, o: o.op, out: o.value, in: o.sources}); err != nil {
		return nil, fmt.Errorf("%s: %w", o.name, err)
	}
	return out, nil
}

// settle prepares for goline's operations in the CUDA context of Gorgonia's machine.
func (m *CUDAMachine) settle(device int, context string) error {
	handle, err := strconv.ParseUint(context, 0, strconv.IntSize)
	if err != nil {
		return fmt.Errorf("handle of Gorgonia's context: %w", err)
	}
	driver, err := cuda.Open()
	if err != nil {
		return err
	}
	if m.context, err = driver.Adopt(device, uintptr(handle)); err != nil {
		return err
	}
	m.place = &placement{card: &accelerator{ctx: m.context}, stream: m.context.DefaultStream(), ops: m.ops}
	return m.allocate()
}

// allocate allocates what operations keep on the card, and the memory for the kernels' reports.
func (m *CUDAMachine) allocate() (err error) {
	p := m.place
	regions := []*region{&p.scratch, &p.status}
	p.status.bytes = 4 * 8
	for _, o := range m.ops {
		p.scratch.bytes = max(p.scratch.bytes, o.scratch)
		if o.form.table != nil {
			o.table = &region{bytes: 8 * len(o.form.table)}
			regions = append(regions, o.table)
		}
		if s, ok := o.fn.(stateful); ok {
			s.reserve(func(bytes int) *region {
				r := &region{bytes: bytes}
				regions = append(regions, r)
				return r
			}, func(bytes int) *region {
				p.scratch.bytes = max(p.scratch.bytes, bytes)
				return &p.scratch
			})
		}
	}
	for _, r := range regions {
		if r.at, err = m.context.Alloc(r.bytes); err != nil {
			return err
		}
		m.blocks = append(m.blocks, r.at)
	}
	for _, o := range m.ops {
		if err := o.uploadTable(p.stream); err != nil {
			return err
		}
	}
	if m.pinned, err = m.context.AllocHost(p.status.bytes); err != nil {
		return err
	}
	p.reported = cuda.Slice[int64](m.pinned, 4)
	return p.stream.Zero(p.status.at, p.status.bytes)
}
