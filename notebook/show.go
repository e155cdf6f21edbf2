package notebook

import (
	"fmt"
	"os"
	"sync"
)

// Folder is where a program that no notebook runs finds what it showed, unless the environment variable GOLINE_OUTPUT
// names another.
const Folder = "goline-output"

// Output is a place where values are shown. It is safe for concurrent use.
type Output struct {
	mu    sync.Mutex
	place place
	shown int // outputs so far
}

// place puts an output of a number on display; a later one with the same number takes its place if replace is set.
type place interface {
	put(number int, replace bool, b bundle) error
}

// New returns the output of the notebook that runs the program, and of the folder [Folder] where none does.
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

// NewFiles returns an output that writes the files 01.png, 02.html and so on into a folder, which it makes where there
// is none, and prints the name of each on standard output.
func NewFiles(dir string) *Output { return &Output{place: &files{dir: dir, out: os.Stdout}} }

// Show shows each value by itself, in their order. It stops at the first that cannot be shown, and its error names the
// value's type.
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

// Live returns a place for a value that changes, at this position among the outputs: the curve of a training that runs,
// say.
func (o *Output) Live() *Live { return &Live{place: o.place, number: o.next()} }

// Live is one output that is shown again and again, each time in the place of the last. It is safe for concurrent use.
type Live struct {
	mu     sync.Mutex
	place  place
	number int
}

// Show puts a value in the place of the one before.
func (l *Live) Show(value any) error {
	b, err := render(value)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.place.put(l.number, true, b)
}

// standard is the output of the functions of the package.
var standard = sync.OnceValue(New)

// Show shows each value by itself, in their order. Where one cannot be shown it prints the error and ends the program
// with exit status 1: it is made for cells. See the package for what can be shown, and [Output.Show] for programs that
// go on.
func Show(values ...any) { Check(standard().Show(values...)) }

// NewLive is [Output.Live] of the notebook, or of the folder.
func NewLive() *Live { return standard().Live() }

// NewProgress is [Output.Progress] of the notebook, or of the folder.
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
