package cli

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows how far a stream of images is. A nil inner bar shows nothing.
type bar struct{ inner *progressbar.ProgressBar }

func (c *common) newBar(what string, n int) bar {
	if c.progress == "never" || c.progress == "auto" && !isTerminal(c.stderr) {
		return bar{}
	}
	return bar{progressbar.NewOptions(n,
		progressbar.OptionSetWriter(c.stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("images"),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)}
}

func (b bar) add(n int) {
	if b.inner != nil {
		_ = b.inner.Add(n) // a terminal that cannot be written to must not stop the work
	}
}

func (b bar) finish() {
	if b.inner != nil {
		_ = b.inner.Finish()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
