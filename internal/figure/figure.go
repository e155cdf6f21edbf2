// Package figure holds finished drawings: the type of what packages report and compare draw, which notebooks show and
// which is written as PNG or SVG. It does not depend on what is drawn.
package figure

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

// DefaultDPI is the default resolution of PNG in dots per inch.
const DefaultDPI = 144

// Figure is a finished drawing. It is an [io.WriterTo] that writes PNG, which is what notebooks show. Each time it is
// written it is drawn again, with the same result, into memory; so a drawing that fails writes nothing.
type Figure struct {
	// Alt says in words what the figure shows, for those who cannot see it; "" if there is no such text.
	Alt string
	// Width and Height are the size of the drawing. DPI is the resolution of PNG in dots per inch, 0 for DefaultDPI.
	Width, Height vg.Length
	DPI           int
	// Draw draws on a canvas of that size.
	Draw func(draw.Canvas)
}

// WriteTo writes the figure as PNG.
func (f *Figure) WriteTo(w io.Writer) (int64, error) { return f.PNG().WriteTo(w) }

// Text returns Alt.
func (f *Figure) Text() string { return f.Alt }

// Points returns the size in points, 1/72 inch.
func (f *Figure) Points() (width, height float64) { return f.Width.Points(), f.Height.Points() }

// SVG returns the figure as an SVG document of its own, with Alt as its title.
func (f *Figure) SVG() io.WriterTo {
	return writerTo(func() ([]byte, error) {
		svg, err := f.Element()
		return []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + svg), err
	})
}

// PNG returns the figure as an image.
func (f *Figure) PNG() io.WriterTo {
	return writerTo(func() (_ []byte, err error) {
		defer recovered(&err)
		dpi := f.DPI
		if dpi == 0 {
			dpi = DefaultDPI
		}
		if dpi < 1 || dpi > 1200 {
			return nil, fmt.Errorf("figure: expected 1 to 1200 dots per inch, got %d", dpi)
		}
		c := vgimg.NewWith(vgimg.UseWH(f.Width, f.Height), vgimg.UseDPI(dpi))
		f.Draw(draw.New(c))
		var out bytes.Buffer
		if err := encodePNG(&out, c.Image()); err != nil {
			return nil, fmt.Errorf("figure: png: %w", err)
		}
		return out.Bytes(), nil
	})
}

// pageColours replaces styles by others for a page: the page's text colour in place of black, and Arial, which more
// readers have, beside Liberation Sans, which has the same widths.
var pageColours = strings.NewReplacer(
	"font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;",
	"stroke:#000000", "stroke:currentColor", "fill:#000000", "fill:currentColor",
	"stroke:#E4E4E4", "stroke:currentColor;stroke-opacity:.15",
)

// Element returns the figure as an svg element for an HTML page. What is black in the drawing has the page's text
// colour.
func (f *Figure) Element() (_ string, err error) {
	defer recovered(&err)
	c := vgsvg.New(f.Width, f.Height)
	f.Draw(draw.New(c))
	var out bytes.Buffer
	if _, err := c.WriteTo(&out); err != nil {
		return "", fmt.Errorf("figure: svg: %w", err)
	}
	_, rest, opened := strings.Cut(out.String(), "<svg")
	attributes, body, closed := strings.Cut(rest, ">")
	if !opened || !closed {
		return "", fmt.Errorf("figure: svg: the drawing library wrote no svg element")
	}
	body = pageColours.Replace(body)
	attributes = ` fill="currentColor"` + attributes
	if f.Alt == "" {
		return "<svg" + attributes + ">" + body, nil
	}
	alt := html.EscapeString(f.Alt)
	return "<svg role=\"img\" aria-label=\"" + alt + "\"" + attributes + ">\n<title>" + alt + "</title>" + body, nil
}

// recovered turns a panic of the drawing library into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("figure: drawing failed: %v", p)
	}
}

// writerTo is an io.WriterTo that writes the bytes that its function returns.
type writerTo func() ([]byte, error)

// WriteTo calls the function and writes the bytes.
func (f writerTo) WriteTo(w io.Writer) (int64, error) {
	data, err := f()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(data)
	return int64(n), err
}
