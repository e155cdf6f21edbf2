// Package cli holds goline's commands: flags in; tables, files and progress out. It is main without the process, so that
// tests run whole command lines.
package cli

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// gcPercent keeps the heap close to what is alive, which is nearly all buffers that last: memory then stays flat over any
// number of images, at no measurable cost. The variable GOGC overrides it.
const gcPercent = 25

// Main runs the process' own command line until it ends or a signal interrupts it, and returns the exit status.
func Main() int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}
