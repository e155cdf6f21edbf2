package notebook

import (
	"fmt"
	"html"
	"sync"
	"time"
)

// Progress is a bar that shows the progress of an operation.
type Progress struct {
	live  *Live
	title string

	mu    sync.Mutex
	last  time.Time
	state string // the state that is shown
	err   error
}

// interval is the shortest time between two states of a bar; the last state of a stage is always shown.
const interval = 200 * time.Millisecond

// Progress returns a bar at this position among the outputs. It becomes visible at its first Update.
func (o *Output) Progress(title string) *Progress { return &Progress{live: o.Live(), title: title} }

// Update shows that done of total parts of a stage are done; a stage of "" has no name. It can be used as
// Options.Progress of package eval, and is safe for concurrent use. It shows at most five states a second. An error
// is kept for [Progress.Err] instead of returned, so that it does not end the operation.
func (p *Progress) Update(stage string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.err != nil || done < total && now.Sub(p.last) < interval {
		return
	}
	text := p.title
	if stage != "" {
		text += ", " + stage
	}
	text += fmt.Sprintf(": %d of %d", done, total)
	if text == p.state {
		return
	}
	p.last, p.state = now, text
	p.err = p.live.Show(HTML(fmt.Sprintf(`<progress max="%d" value="%d" `+
		`style="width:16em;vertical-align:middle"></progress> %s`,
		max(total, 1), done, html.EscapeString(text))))
}

// Err returns the first error that occurred while showing the bar.
func (p *Progress) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
