package notebook

import (
	"fmt"
	"os"
	"sync"
)

// Folder is the folder for the outputs of a program that does not run in a notebook. The environment variable
// GOLINE_OUTPUT can name another.
const Folder = "goline-output"

// Output is a place where values are shown. It is safe for concurrent use.
type Output struct {
	mu    sync.Mutex
	place place
	shown int // number of outputs so far
}

// place displays outputs by number. With replace an output replaces the earlier one with the same number.
type place interface {
	put(number int, replace bool, b bundle) error
}

// New returns an output in the notebook that runs the program, or outside of a notebook one into the folder [Folder].
func New() *Output {
	if inNotebook() {
		return &Output{place: newCell()}
	}
	dir := os.Getenv("GOLINE_OUTPUT")
	if dir == "" {
		dir = Folder
	}
	return NewFiles(dir)
}

// NewFiles returns an output that writes the files 01.png, 02.html and so on to a folder, which it creates where
// needed, and prints the name of each file on standard output.
func NewFiles(dir string) *Output { return &Output{place: &files{dir: dir, out: os.Stdout}} }

// Show shows each value as a separate output, in order. It stops at the first value that cannot be shown; the error
// names the value's type.
func (o *Output) Show(values ...any) error {
	for _, v := range values {
		b, err := render(v)
		if err != nil {
			return err
		}
		if err := o.place.put(o.next(), false, b); err != nil {
			return err
		}
	}
	return nil
}

// next returns the number of a new output, counted from 1.
func (o *Output) next() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shown++
	return o.shown
}

// Live returns a place for a value that changes, at this position among the outputs, for example for the learning
// curve of a running training.
func (o *Output) Live() *Live { return &Live{place: o.place, number: o.next()} }

// Live is one output whose value can be replaced. It is safe for concurrent use.
type Live struct {
	mu     sync.Mutex
	place  place
	number int
}

// Show replaces the value that was shown before.
func (l *Live) Show(value any) error {
	b, err := render(value)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.place.put(l.number, true, b)
}

// standard returns the output that the package's functions use.
var standard = sync.OnceValue(New)

// Show shows each value as a separate output, in order. If a value cannot be shown it prints the error and ends the
// program with exit status 1, which suits cells. See the package comment for what can be shown, and [Output.Show] for
// programs that must continue.
func Show(values ...any) { Check(standard().Show(values...)) }

// NewLive is [Output.Live] of the output that [New] returns.
func NewLive() *Live { return standard().Live() }

// NewProgress is [Output.Progress] of the output that [New] returns.
func NewProgress(title string) *Progress { return standard().Progress(title) }

// Must returns v, or prints the error and ends the program with exit status 1, so that the cell fails.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check prints the error, if there is one, and ends the program with exit status 1, so that the cell fails.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
