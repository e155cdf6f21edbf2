package line

import (
	"context"
	"sync"

	"github.com/line-ood/goline/graph"
)

// compiled is a program that is made at its first use and kept. A failure is not kept: the next use tries again.
type compiled struct {
	mu      sync.Mutex
	program *graph.Program
}

// get returns the program, made by compile unless it is there. Of several goroutines one compiles and the others wait
// for it.
func (c *compiled) get(ctx context.Context, compile func() (*graph.Program, error)) (*graph.Program, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.program != nil {
		return c.program, nil
	}
	if err := ctx.Err(); err != nil { // compiling is the work of many images
		return nil, err
	}
	p, err := compile()
	if err != nil {
		return nil, err
	}
	c.program = p
	return p, nil
}
