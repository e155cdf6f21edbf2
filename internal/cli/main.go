// Package cli holds goline's commands: they take flags and write tables, files and progress. The package is the whole
// program except for the process itself, so that tests can run complete command lines. It may import every package, and
// holds no loop over programs or detectors; only cmd/goline imports it.
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
// any number of images, at no measurable cost. The variable GOGC overrides it. A server, whose requests make garbage
// where little is alive, keeps Go's own setting: the collector took a twentieth of its time.
const gcPercent = 25

// grace is the time that a command has to end by itself after the first signal. Decoders, walks of folders and runs of
// networks heed their context; work that does not, such as reading from a file system that hangs, is abandoned.
const grace = 900 * time.Millisecond

// Main runs the process' own command line and returns the exit status. The signals INT, TERM and HUP all interrupt the
// command, except that HUP makes goline serve read its files again. A signal that the process was started to ignore, as
// nohup does with HUP, stays ignored. A second signal ends the process at once.
func Main() int {
	if os.Getenv("GOGC") == "" && name(os.Args[1:]) != "serve" {
		debug.SetGCPercent(gcPercent)
	}
	ending := slices.DeleteFunc(slices.Clone(endingSignals), func(s os.Signal) bool {
		return signal.Ignored(s) || name(os.Args[1:]) == "serve" && isHangup(s) // HUP makes serve read its files again
	})
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	return within(ctx, patience(os.Args[1:]), func() int { return Run(ctx, os.Args[1:], os.Stdout, os.Stderr) })
}

// name returns the command of a command line: its first argument, "" if there is none.
func name(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// patience returns how long a command may take to end after a signal, 0 for no limit: training first writes its
// checkpoint, and a server first finishes its running requests, for which its own flags set the limit.
func patience(args []string) time.Duration {
	if n := name(args); n == "train" || n == "serve" {
		return 0
	}
	return grace
}

// within returns what run returns. If run goes on for longer than patience after ctx is done, within removes the
// temporary files and returns the status of an interrupted command. A patience of 0 sets no limit.
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

// patiently returns what work returns, or ctx's error if work goes on for longer than grace after ctx is done. It is
// for writes to a pipe, which may never get a reader.
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
