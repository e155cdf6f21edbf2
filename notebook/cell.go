package notebook

import (
	"fmt"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// inNotebook reports whether GoNB runs the program.
func inNotebook() bool { return gonbui.IsNotebook }

// cell shows outputs in the GoNB cell that runs the program.
type cell struct {
	prefix string // beginning of the names of outputs that can be replaced
	send   func(*protocol.DisplayData) error
}

func newCell() *cell {
	return &cell{prefix: "goline-" + gonbui.UniqueId() + "-", send: func(d *protocol.DisplayData) error {
		if err := gonbui.Open(); err != nil {
			return err
		}
		gonbui.SendData(d)
		gonbui.Sync() // wait until everything is shown, since the program may end right after
		return gonbui.Error()
	}}
}

func (c *cell) put(number int, replace bool, b bundle) error {
	d := &protocol.DisplayData{Data: map[protocol.MIMEType]any{protocol.MIMETextPlain: b.text}}
	if len(b.png) > 0 {
		d.Data[protocol.MIMEImagePNG] = b.png
		if b.width > 0 {
			d.Metadata = map[string]any{string(protocol.MIMEImagePNG): map[string]int{"width": b.width}}
		}
	}
	if b.html != "" {
		d.Data[protocol.MIMETextHTML] = b.html
	}
	if b.markdown != "" {
		d.Data[protocol.MIMETextMarkdown] = b.markdown
	}
	if replace {
		d.DisplayID = fmt.Sprintf("%s%d", c.prefix, number)
	}
	if err := c.send(d); err != nil {
		return fmt.Errorf("notebook: %w", err)
	}
	return nil
}
