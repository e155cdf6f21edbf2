package notebook

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/png"
	"io"

	"github.com/line-ood/goline/attribution/compare"
	"github.com/line-ood/goline/internal/figure"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/report"
)

// HTML is shown unchanged; its author must escape text from other sources.
type HTML string

// Markdown is shown as text with headings, emphasis, lists and formulas.
type Markdown string

// Figure is a finished drawing, as functions of packages compare, report and train return it. Each writes PNG, which
// [Show] shows, and offers both formats by name.
type Figure interface {
	io.WriterTo
	// PNG and SVG return the drawing in one of the formats.
	PNG() io.WriterTo
	SVG() io.WriterTo
	// Text says in words what the figure shows, "" where nobody said it.
	Text() string
	// Points returns the size in points, 1/72 inch.
	Points() (width, height float64)
}

var (
	_ Figure = (*report.Figure)(nil)
	_ Figure = (*compare.Figure)(nil)
)

// bundle is an output in several formats, "" or nil for those that it lacks; text is always set.
type bundle struct {
	png            []byte
	width          int // width of the PNG on a page in CSS pixels; 0 for its width in pixels
	html, markdown string
	text           string
}

// viewer is a value of this package that renders itself.
type viewer interface{ view() (bundle, error) }

// render converts a value into formats that can be shown.
func render(value any) (b bundle, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("notebook: showing a value of type %T failed: %v", value, p)
		}
	}()
	switch v := value.(type) {
	case viewer:
		b, err = v.view()
	case HTML:
		b = bundle{html: string(v), text: string(v)}
	case Markdown:
		b = bundle{markdown: string(v), text: string(v)}
	case Figure:
		b, err = drawn(v)
	case report.Result:
		b, err = results(v)
	case *report.Result:
		b, err = results(*v)
	case *eval.Result:
		b, err = results(v.Report("", report.Weights{}))
	case report.Pictures:
		b = bundle{html: string(GalleryOf(v)), text: v.Set}
	case image.Image:
		b, err = pictured(v)
	case io.WriterTo:
		b, err = written(v)
	default:
		b = bundle{text: fmt.Sprint(value)}
	}
	if err != nil {
		return bundle{}, fmt.Errorf("notebook: a value of type %T cannot be shown: %w", value, err)
	}
	return b, nil
}

// drawn renders a figure as PNG with twice a page's resolution, not wider than the page.
func drawn(f Figure) (bundle, error) {
	if f == (*figure.Figure)(nil) || f == (*compare.Figure)(nil) {
		return bundle{}, fmt.Errorf("expected a figure, got none")
	}
	b, err := written(f)
	if err == nil && len(b.png) > 0 {
		const pixelsPerPoint = 96. / 72
		width, _ := f.Points()
		b.width = int(width*pixelsPerPoint + 0.5)
		if text := f.Text(); text != "" {
			b.text = text
		}
	}
	return b, err
}

// written renders a value that writes itself, by the format of what it writes.
func written(w io.WriterTo) (bundle, error) {
	var buf bytes.Buffer
	if _, err := w.WriteTo(&buf); err != nil {
		return bundle{}, err
	}
	data := buf.Bytes()
	head := bytes.ToLower(bytes.TrimSpace(data[:min(len(data), 512)]))
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return bundle{png: data, text: fmt.Sprintf("picture of %d bytes", len(data))}, nil
	case bytes.HasPrefix(head, []byte("<svg")), bytes.HasPrefix(head, []byte("<?xml")) &&
		bytes.Contains(head, []byte("<svg")):
		// As a separate image its scripts do not run, and its ids cannot clash with those of others.
		src := base64.StdEncoding.EncodeToString(data)
		return bundle{html: `<img alt="" src="data:image/svg+xml;base64,` + src + `">`, text: string(data)}, nil
	case bytes.HasPrefix(head, []byte("<!doctype html")), bytes.HasPrefix(head, []byte("<html")):
		return bundle{html: `<iframe style="width:100%;height:40em;border:0" srcdoc="` +
			html.EscapeString(string(data)) + `"></iframe>`, text: "a page"}, nil
	}
	return bundle{text: string(data)}, nil
}

// pictured renders an image; a small one is enlarged so that its pixels can be seen.
func pictured(img image.Image) (bundle, error) {
	data, width, err := encode(img, 224)
	size := img.Bounds().Size()
	return bundle{png: data, width: width, text: fmt.Sprintf("picture of %d × %d pixels", size.X, size.Y)}, err
}

// encode returns an image as PNG, and its width on a page. An image smaller than that is enlarged by a whole factor,
// each pixel to a square, since a browser's enlargement would blur it.
func encode(img image.Image, width int) ([]byte, int, error) {
	size := img.Bounds().Size()
	if size.X < 1 || size.Y < 1 {
		return nil, 0, fmt.Errorf("expected a picture of at least 1 × 1 pixels, got %d × %d", size.X, size.Y)
	}
	factor := max(1, width/max(size.X, size.Y))
	if factor > 1 {
		large := image.NewRGBA(image.Rect(0, 0, factor*size.X, factor*size.Y))
		for y := range factor * size.Y {
			for x := range factor * size.X {
				large.Set(x, y, img.At(img.Bounds().Min.X+x/factor, img.Bounds().Min.Y+y/factor))
			}
		}
		img = large
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		return nil, 0, err
	}
	return buf.Bytes(), factor * size.X, nil
}

// results renders an evaluation as its table, with the best of each column bold.
func results(r report.Result) (b bundle, err error) {
	if b.html, err = r.Table(report.HTML, true); err != nil {
		return b, err
	}
	b.text, err = r.Table(report.Text, false)
	return b, err
}
