package command

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Bar is a progress bar. The zero value shows nothing.
type Bar struct{ inner *progressbar.ProgressBar }

// newBar returns a progress bar for a stream of n images, 0 where the number is not known.
func (c *Common) newBar(what string, n int) Bar {
	if n == 0 {
		n = -1
	}
	return c.bar(what, n, progressbar.OptionShowIts(), progressbar.OptionSetItsString("images"))
}

// Counter returns a progress bar for work that is not counted in images. A total of 0 means that it is not known.
func (c *Common) Counter(what string, total int) Bar {
	if total == 0 {
		total = -1
	}
	// Steps are few, and each is shown, since nothing else would show it later.
	return c.bar(what, total, progressbar.OptionThrottle(0))
}

func (c *Common) bar(what string, total int, more ...progressbar.Option) Bar {
	if !Live(c.Progress, c.Stderr) {
		return Bar{}
	}
	return Bar{progressbar.NewOptions(total, append([]progressbar.Option{
		progressbar.OptionSetWriter(c.Stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
		// no goroutine of the bar's own, which would read the start without its lock while Set writes it
		progressbar.OptionSetSpinnerChangeInterval(0),
	}, more...)...)}
}

// Add moves the bar on by n steps.
func (b Bar) Add(n int) {
	if b.inner != nil {
		_ = b.inner.Add(n) // work goes on even if the terminal cannot be written to
	}
}

// Set moves the bar to done samples out of total, 0 where the total is not known.
func (b Bar) Set(done, total int) {
	if b.inner == nil {
		return
	}
	if total > 0 && b.inner.GetMax() != total {
		b.inner.ChangeMax(total)
	}
	_ = b.inner.Set(done) // work goes on even if the terminal cannot be written to
}

// Finish ends the bar.
func (b Bar) Finish() {
	if b.inner != nil {
		_ = b.inner.Finish()
	}
}

// Live tells whether to show progress on w: always, never or, with auto, where w is a terminal.
func Live(progress string, w io.Writer) bool {
	return progress == "always" || progress == "auto" && IsTerminal(w)
}

// IsTerminal tells whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
