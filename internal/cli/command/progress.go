package command

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Bar shows how far work is; the zero value shows nothing.
type Bar struct{ inner *progressbar.ProgressBar }

// newBar shows how far a stream of so many images is.
func (c *Common) newBar(what string, n int) Bar {
	return c.bar(what, n, progressbar.OptionShowIts(), progressbar.OptionSetItsString("images"))
}

// Counter shows how far work has come that is not counted in images. A total of 0 means that it is not known.
func (c *Common) Counter(what string, total int) Bar {
	if total == 0 {
		total = -1
	}
	return c.bar(what, total)
}

func (c *Common) bar(what string, total int, more ...progressbar.Option) Bar {
	if !Live(c.Progress, c.Stderr) {
		return Bar{}
	}
	return Bar{progressbar.NewOptions(total, append(more,
		progressbar.OptionSetWriter(c.Stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)...)}
}

// Add moves the bar on.
func (b Bar) Add(n int) {
	if b.inner != nil {
		_ = b.inner.Add(n) // a terminal that cannot be written to must not stop the work
	}
}

// Set moves the bar to a number of samples of a total, 0 where that is not known.
func (b Bar) Set(done, total int) {
	if b.inner == nil {
		return
	}
	if total > 0 && b.inner.GetMax() != total {
		b.inner.ChangeMax(total)
	}
	_ = b.inner.Set(done) // a terminal that cannot be written to must not stop the work
}

// Finish ends the bar.
func (b Bar) Finish() {
	if b.inner != nil {
		_ = b.inner.Finish()
	}
}

// Live tells whether progress is shown on w: progress is auto, always or never.
func Live(progress string, w io.Writer) bool {
	return progress == "always" || progress == "auto" && IsTerminal(w)
}

// IsTerminal tells whether somebody may be reading along.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
