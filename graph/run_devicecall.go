package graph

import (
	"fmt"
	"math"

	"github.com/line-ood/goline/internal/cuda"
)

// deviceCall is one execution of an operation on a card.
type deviceCall struct {
	p   *placement
	o   *op
	out *mirror
	in  []*mirror
}

// args starts the arguments of a kernel with the given values: for each its address and its stride from sample to
// sample.
func (c *deviceCall) args(values ...*mirror) *cuda.Args {
	a := c.p.args.Reset()
	for _, m := range values {
		a.Ptr(m.at()).Int(m.stride)
	}
	return a
}

// launch queues a kernel.
func (c *deviceCall) launch(name string, g cuda.Grid, a *cuda.Args) error {
	k, err := c.p.card.ctx.Kernel(name)
	if err != nil {
		return err
	}
	return c.p.stream.Launch(k, g, a)
}

const blockThreads = 256

// threads returns a grid of at least n threads, in whole blocks.
func threads(n int) cuda.Grid {
	return cuda.Grid{X: (n + blockThreads - 1) / blockThreads, Y: 1, Z: 1, Threads: blockThreads}
}

// products returns the ending of the names of kernels that multiply in the program's precision.
func (c *deviceCall) products() string {
	if c.p.card.tf32 {
		return "tf32"
	}
	return "f32"
}

// each queues a kernel with a thread for each element of the output. It adds the kernel's last two parameters: the
// number of elements of a sample, and of all samples.
func (c *deviceCall) each(name string, a *cuda.Args) error {
	total := c.out.n * c.out.size
	return c.launch(name, threads(total), a.Int(c.out.size).Int(total))
}

// rows queues a kernel with a block of 128 threads for each of n rows.
func (c *deviceCall) rows(name string, n int, a *cuda.Args) error {
	return c.launch(name, cuda.Grid{X: n, Y: 1, Z: 1, Threads: 128}, a)
}

// classes adds the arguments of a kernel that reads the samples' classes: their address, the number of classes, and
// where to report a class that does not exist.
func (c *deviceCall) classes(a *cuda.Args, class *mirror, classes int) *cuda.Args {
	return a.Ptr(class.at()).Int(classes).Ptr(c.p.status.at).Int(c.o.number)
}

// table returns the address of the table of the operation's form.
func (c *deviceCall) table() cuda.Ptr { return c.o.table.at }

// readStatus waits for the card and returns the error that kernels have reported since the last call, if any.
func (p *placement) readStatus() error {
	if err := cuda.Download(p.stream, p.reported, p.status.at); err != nil {
		return err
	}
	if err := p.stream.Sync(); err != nil {
		return err
	}
	number := p.reported[0]
	if number == 0 {
		return nil
	}
	sample, found, expected := int(p.reported[1]), p.reported[2], int(p.reported[3])
	err := wantClass(sample, int(found), expected)
	if expected < 0 { // a row rather than a class, reported as the bits of its number
		err = wantRow(sample, math.Float32frombits(uint32(found)), -expected)
	}
	err = fmt.Errorf("%s: %w", p.ops[number-1].name, err)
	if e := p.stream.Zero(p.status.at, p.status.bytes); e != nil {
		return e
	}
	return err
}
