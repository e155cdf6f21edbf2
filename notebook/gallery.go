package notebook

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/png"
	"strings"

	"github.com/line-ood/goline/line/report"
)

// Gallery is a row of pictures with text under each, for example a score.
type Gallery struct {
	// Title is shown above the pictures; "" for none.
	Title string
	// Width is the largest side of a picture on the page, in CSS pixels; 0 stands for 96.
	Width int
	// Pictures stand side by side, in this order.
	Pictures []Picture
}

// Picture is a picture of a gallery.
type Picture struct {
	// Image is the picture, for example a dataset.Image.
	Image image.Image
	// Score is shown under the picture with two decimals; nil for none.
	Score *float64
	// Note is further text under the picture, for example the predicted class; "" for none.
	Note string
	// OOD marks the picture as out-of-distribution, by words and by its frame.
	OOD bool
}

// Add appends a picture with its score and a note.
func (g *Gallery) Add(img image.Image, score float64, note string) {
	g.Pictures = append(g.Pictures, Picture{Image: img, Score: &score, Note: note})
}

// GalleryOf shows the pictures with the highest and the lowest scores of a method, as eval.Extremes returns them, in
// two rows.
func GalleryOf(p report.Pictures) HTML {
	var out strings.Builder
	for _, part := range []struct {
		title    string
		pictures []report.Picture
	}{{"most in-distribution", p.Most}, {"least in-distribution", p.Least}} {
		g := Gallery{Title: fmt.Sprintf("%s, %s by %s", p.Set, part.title, p.Method)}
		for _, picture := range part.pictures {
			img, err := png.Decode(bytes.NewReader(picture.PNG))
			if err != nil {
				img = image.NewGray(image.Rect(0, 0, 1, 1)) // a PNG that cannot be decoded becomes an empty square
			}
			g.Add(img, picture.Score, picture.Prediction)
		}
		if b, err := g.view(); err == nil {
			out.WriteString(b.html)
		}
	}
	return HTML(out.String())
}

func (g *Gallery) view() (bundle, error) {
	side := g.Width
	if side == 0 {
		side = 96
	}
	if side < 1 || side > 4096 {
		return bundle{}, fmt.Errorf("expected pictures of 1 to 4096 pixels, got a width of %d", side)
	}
	var page, text strings.Builder
	if g.Title != "" {
		page.WriteString(`<p style="margin:.4em 0"><b>` + html.EscapeString(g.Title) + "</b></p>")
		text.WriteString(g.Title + "\n")
	}
	page.WriteString(`<div style="display:flex;flex-wrap:wrap;gap:10px;padding:3px">`)
	for i, p := range g.Pictures {
		if p.Image == nil {
			return bundle{}, fmt.Errorf("picture %d: expected an image, got none", i)
		}
		data, _, err := encode(p.Image, side)
		if err != nil {
			return bundle{}, fmt.Errorf("picture %d: %w", i, err)
		}
		said := p.words()
		named := strings.TrimSuffix(fmt.Sprintf("picture %d: %s", i+1, strings.Join(said, ", ")), ": ")
		frame := "transparent"
		if p.OOD {
			frame = "#d55e00"
		}
		fmt.Fprintf(&page, `<figure style="margin:0;max-width:%dpx;text-align:center;font-size:12px">`+
			`<img alt="%s" style="max-width:%dpx;max-height:%dpx;outline:3px solid %s" src="data:image/png;base64,%s">`+
			`<figcaption>%s</figcaption></figure>`, side+12, html.EscapeString(named),
			side, side, frame, base64.StdEncoding.EncodeToString(data), html.EscapeString(strings.Join(said, "\n")))
		text.WriteString(named + "\n")
	}
	page.WriteString("</div>")
	return bundle{html: strings.ReplaceAll(page.String(), "\n", "<br>"), text: strings.TrimSuffix(text.String(), "\n")},
		nil
}

// words returns the lines under a picture.
func (p Picture) words() (lines []string) {
	if p.Score != nil {
		lines = append(lines, fmt.Sprintf("%.2f", *p.Score))
	}
	if p.Note != "" {
		lines = append(lines, p.Note)
	}
	if p.OOD {
		lines = append(lines, "OOD")
	}
	return lines
}
