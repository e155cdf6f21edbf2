package report

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figure is a finished drawing. It is drawn anew, and alike, each time it is written.
type Figure struct {
	// Alt says in words what the figure shows, for those who cannot see it.
	Alt           string
	width, height vg.Length
	draw          func(draw.Canvas)
}

// SVG returns the figure as an SVG document of its own, with Alt as its title.
func (f *Figure) SVG() io.WriterTo {
	return writerTo(func(w io.Writer) error {
		svg, err := f.svg()
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"+svg)
		return err
	})
}

// PNG returns the figure as an image of so many dots per inch; 0 means 144.
func (f *Figure) PNG(dpi int) io.WriterTo {
	return writerTo(func(w io.Writer) error {
		if dpi == 0 {
			dpi = 144
		}
		if dpi < 1 || dpi > 1200 {
			return fmt.Errorf("report: %d dots per inch, want 1 to 1200", dpi)
		}
		c := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dpi))
		f.draw(draw.New(c))
		_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
		return err
	})
}

// svg returns the figure as one svg element, ready to stand in an HTML page.
func (f *Figure) svg() (string, error) {
	c := vgsvg.New(f.width, f.height)
	f.draw(draw.New(c))
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		return "", fmt.Errorf("report: svg: %w", err)
	}
	_, rest, opened := strings.Cut(out.String(), "<svg")
	attributes, body, closed := strings.Cut(rest, ">")
	if !opened || !closed {
		return "", fmt.Errorf("report: svg: the drawing library wrote no svg element")
	}
	// Arial has the widths of Liberation Sans, which few readers have installed.
	body = strings.ReplaceAll(body, "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;")
	alt := html.EscapeString(printable(f.Alt))
	return "<svg role=\"img\" aria-label=\"" + alt + "\"" + attributes + ">\n<title>" + alt + "</title>" + body, nil
}

// writerTo is an io.WriterTo that counts what its function writes.
type writerTo func(io.Writer) error

// WriteTo runs the function.
func (f writerTo) WriteTo(w io.Writer) (int64, error) {
	c := counter{w: w}
	err := f(&c)
	return c.n, err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
