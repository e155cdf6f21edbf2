// Package cli holds goline's commands: flags in; tables, files and progress out. It is main without the process, so
// that tests run whole command lines.
package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"time"

	"github.com/line-ood/goline/internal/atomicfile"
)

// gcPercent keeps the heap close to what is alive, which is nearly all buffers that last: memory then stays flat over
// any number of images, at no measurable cost. The variable GOGC overrides it.
const gcPercent = 25

// grace is how long a command may take to end by itself after the first signal. Decoders, walks and runs look at their
// context; work that does not, such as a read from a file system that hangs, is abandoned.
const grace = 900 * time.Millisecond

// Main runs the process' own command line until it ends or a signal interrupts it, and returns the exit status. INT,
// TERM and HUP are alike, but for goline serve; one that the process was started to ignore, as nohup does with HUP,
// stays ignored. A second signal ends it at once.
func Main() int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ending := slices.DeleteFunc(slices.Clone(endingSignals), func(s os.Signal) bool {
		return signal.Ignored(s) || name(os.Args[1:]) == "serve" && isHangup(s) // which has it read its files again
	})
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return within(ctx, patience(os.Args[1:]), func() int { return Run(ctx, os.Args[1:], os.Stdout, os.Stderr) })
}

// name is the command of a command line, "" where it begins with something else.
func name(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// patience is how long a command line may take to end after a signal, 0 for as long as it takes: training writes its
// checkpoint first, and a server finishes what runs, as long as its own flags allow.
func patience(args []string) time.Duration {
	if n := name(args); n == "train" || n == "serve" {
		return 0
	}
	return grace
}

// within returns what run returns, or the status of an interrupted command once ctx has been done for so long, 0 for
// ever. Temporary files are then removed from here.
func within(ctx context.Context, patience time.Duration, run func() int) int {
	done := make(chan int, 1)
	go func() { done <- run() }()
	if patience == 0 {
		return <-done
	}
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	select {
	case code := <-done:
		return code
	case <-time.After(patience):
		atomicfile.RemoveTemporary()
		fmt.Fprintln(os.Stderr, "goline: interrupted")
		return exitInterrupted
	}
}

// patiently returns what work returns, or ctx's error where it goes on for longer than the grace after ctx is done: a
// pipe that is written to may never have a reader.
func patiently(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(grace):
		return ctx.Err()
	}
}
