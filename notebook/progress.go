package notebook

import (
	"fmt"
	"html"
	"sync"
	"time"
)

// Progress is a bar that moves while something takes its time.
type Progress struct {
	live  *Live
	title string

	mu    sync.Mutex
	last  time.Time
	state string // what is shown
	err   error
}

// interval is the shortest time between two states of a bar; the last state of a stage is always shown.
const interval = 200 * time.Millisecond

// Progress returns a bar at this position among the outputs, which is seen from its first Update on.
func (o *Output) Progress(title string) *Progress { return &Progress{live: o.Live(), title: title} }

// Update says that done of total parts of a stage are done; a stage of "" has no name. It fits Options.Progress of
// package eval and is safe for concurrent use. It shows no more than five states a second; an error is kept for
// [Progress.Err], so that what shows how a work goes on does not end it.
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

// Err returns the first error of showing the bar.
func (p *Progress) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
