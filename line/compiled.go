package line

import (
	"context"
	"sync"

	"github.com/line-ood/goline/graph"
)

// compiled is a program that is compiled at its first use and kept. An error is not kept: the next use tries again.
type compiled struct {
	mu      sync.Mutex
	program *graph.Program
}

// get returns the program, which compile makes at the first call. Of several goroutines one compiles while the others
// wait.
func (c *compiled) get(ctx context.Context, compile func() (*graph.Program, error)) (*graph.Program, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.program != nil {
		return c.program, nil
	}
	if err := ctx.Err(); err != nil { // compiling takes as long as many images
		return nil, err
	}
	p, err := compile()
	if err != nil {
		return nil, err
	}
	c.program = p
	return p, nil
}
