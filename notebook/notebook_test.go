package notebook

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/figure"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/report"
)

// writes is a WriterTo with arbitrary content.
type writes struct {
	content string
	err     error
}

func (w writes) WriteTo(out io.Writer) (int64, error) {
	n, err := io.WriteString(out, w.content)
	return int64(n), errors.Join(err, w.err)
}

func drawing(alt string) *figure.Figure {
	return &figure.Figure{Alt: alt, Width: 3 * vg.Inch, Height: vg.Inch, DPI: 96, Draw: func(draw.Canvas) {}}
}

func evaluation() report.Result {
	return report.Result{Net: "net", ID: report.ID{N: 4, Accuracy: math.NaN()}, Methods: []report.Method{{
		Name: "line", Params: map[string]any{"clip": 1.0},
		OOD: []report.OOD{{Name: "<digits>", N: 2, Metrics: metrics.Metrics{FPR95: 0.25, AUROC: 0.5}}},
	}}}
}

func TestRender(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		check func(b bundle)
	}{
		"figure": {drawing("what it shows"), func(b bundle) {
			img, err := png.Decode(bytes.NewReader(b.png))
			require.NoError(t, err)
			require.Equal(t, image.Pt(288, 96), img.Bounds().Size())
			require.Equal(t, 288, b.width, "3 inches on a page of 96 pixels an inch")
			require.Equal(t, "what it shows", b.text)
		}},
		"result": {evaluation(), func(b bundle) {
			require.Contains(t, b.html, "<td style=\"text-align:right\"><b>25.00</b> / <b>50.00</b></td>")
			require.Contains(t, b.html, "&lt;digits&gt;")
			require.NotContains(t, b.html, "<digits>")
			require.Contains(t, b.text, "│ line   │ clip = 1   │ 25.00 / 50.00 │")
		}},
		"svg": {writes{content: "<?xml version=\"1.0\"?>\n<svg></svg>"}, func(b bundle) {
			require.Contains(t, b.html, "data:image/svg+xml;base64,")
		}},
		"page": {writes{content: "<!DOCTYPE html><p>\"x\""}, func(b bundle) {
			require.Contains(t, b.html, `srcdoc="&lt;!DOCTYPE html&gt;&lt;p&gt;&#34;x&#34;"`)
		}},
		"other writer": {writes{content: "a,b\n"}, func(b bundle) { require.Equal(t, bundle{text: "a,b\n"}, b) }},
		"html":         {HTML("<i>x</i>"), func(b bundle) { require.Equal(t, "<i>x</i>", b.html) }},
		"markdown":     {Markdown("*x*"), func(b bundle) { require.Equal(t, "*x*", b.markdown) }},
		"text":         {[]int{1, 2}, func(b bundle) { require.Equal(t, bundle{text: "[1 2]"}, b) }},
		"nothing":      {nil, func(b bundle) { require.Equal(t, "<nil>", b.text) }},
		"table": {&Table{Caption: "a & b", Header: []string{"name", "n", "share"}, Rows: [][]any{{"<x>", 3, 0.125},
			{nil}}, Digits: 3}, func(b bundle) {
			require.Contains(t, b.html, "<caption>a &amp; b</caption>")
			require.Contains(t, b.html, `<th style="text-align:left">name</th><th style="text-align:right">n</th>`)
			require.Contains(t, b.html,
				`<td style="text-align:left">&lt;x&gt;</td><td style="text-align:right">3</td><td `+
					`style="text-align:right">0.125</td>`)
			require.Contains(t, b.text, "│ <x>   │ 3 │ 0.125 │")
		}},
		"whole digits": {&Table{Header: []string{"x"}, Rows: [][]any{{0.5}}, Digits: -1},
			func(b bundle) { require.Contains(t, b.html, ">0.5<") }},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := render(c.value)
			require.NoError(t, err)
			c.check(b)
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	for want, value := range map[string]any{
		"full disk":             writes{err: errors.New("full disk")},
		"got none":              (*figure.Figure)(nil),
		"at most 1 cells":       &Table{Header: []string{"x"}, Rows: [][]any{{1, 2}}},
		"at least 1 × 1 pixels": image.NewGray(image.Rectangle{}),
		"picture 1: expected an im": &Gallery{Pictures: []Picture{{Image: image.NewGray(image.Rect(0, 0, 1,
			1))}, {}}},
		"got a width of -1":                      &Gallery{Width: -1},
		"expected at least one method, got none": report.Result{},
		"failed":                                 (*Table)(nil),
	} {
		_, err := render(value)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "notebook: ")
	}
}

// A small picture is enlarged by a whole factor, so that each of its pixels stays a square of one colour.
func TestSmallPicturesAreEnlarged(t *testing.T) {
	img := image.NewRGBA(image.Rect(5, 7, 8, 9)) // 3 × 2, not at the origin
	img.Set(7, 8, color.RGBA{9, 8, 7, 255})
	data, width, err := encode(img, 10)
	require.NoError(t, err)
	require.Equal(t, 9, width)
	large, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, image.Pt(9, 6), large.Bounds().Size())
	for y := range 6 {
		for x := range 9 {
			_, _, blue, _ := large.At(x, y).RGBA()
			require.Equal(t, x >= 6 && y >= 3, blue>>8 == 7, "%d, %d", x, y)
		}
	}
	_, width, err = encode(image.NewGray(image.Rect(0, 0, 300, 20)), 224)
	require.NoError(t, err)
	require.Equal(t, 300, width, "a large one stays as it is")
}

func TestGallery(t *testing.T) {
	g := Gallery{Title: "<clothes>"}
	g.Add(dataset.Image{Pix: make([]uint8, 12), Width: 2, Height: 2}, 1.234, "bag & co")
	g.Pictures = append(g.Pictures, Picture{Image: image.NewGray(image.Rect(0, 0, 2, 2)), OOD: true})
	b, err := render(&g)
	require.NoError(t, err)
	require.Contains(t, b.html, "&lt;clothes&gt;")
	require.Contains(t, b.html, "1.23<br>bag &amp; co")
	require.Equal(t, 1, strings.Count(b.html, "#d55e00"), "one has a frame")
	require.Equal(t, "<clothes>\npicture 1: 1.23, bag & co\npicture 2: OOD", b.text)

	var one bytes.Buffer
	require.NoError(t, png.Encode(&one, image.NewGray(image.Rect(0, 0, 1, 1))))
	extremes := GalleryOf(report.Pictures{Set: "digits", Method: "line",
		Most:  []report.Picture{{PNG: one.Bytes(), Score: 2, Prediction: "bag"}},
		Least: []report.Picture{{PNG: []byte("no PNG"), Score: -1}}})
	for _, want := range []string{"digits, most in-distribution by line", "2.00<br>bag", "least in-distribution",
		"-1.00"} {
		require.Contains(t, string(extremes), want)
	}
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	var said bytes.Buffer
	o := &Output{place: &files{dir: dir, out: &said}}
	require.NoError(t, o.Show(drawing(""), &Table{Header: []string{"x"}}))
	live := o.Live()
	require.NoError(t, o.Show("text", Markdown("*m*")))
	require.NoError(t, live.Show("first"))
	require.NoError(t, live.Show("second"))
	require.ErrorContains(t, o.Show("good", writes{err: errors.New("bad")}, "never"), "bad")

	content := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(data)
	}
	require.True(t, strings.HasPrefix(content("01.png"), "\x89PNG"))
	require.Contains(t, content("02.html"), "<meta charset=\"utf-8\">")
	require.Equal(t, "second\n", content("03.txt"), "in the place where it was announced, and the newest")
	require.Equal(t, "text\n", content("04.txt"))
	require.Equal(t, "*m*\n", content("05.md"))
	require.Equal(t, "good\n", content("06.txt"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 6)
	require.Equal(t, 6, strings.Count(said.String(), dir), "each file is named once")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, NewFiles(file).Show(1), "notebook: ")
}

// sent records what a cell sends to the notebook.
type sent struct{ all []*protocol.DisplayData }

func (s *sent) output() *Output {
	return &Output{place: &cell{prefix: "p-", send: func(d *protocol.DisplayData) error {
		s.all = append(s.all, d)
		return nil
	}}}
}

func TestCell(t *testing.T) {
	var s sent
	o := s.output()
	require.NoError(t, o.Show(drawing("alt"), Markdown("m")))
	first, second := o.Live(), o.Live()
	require.NoError(t, first.Show(1))
	require.NoError(t, second.Show(2))
	require.NoError(t, first.Show(HTML("3")))

	require.Len(t, s.all, 5)
	require.Equal(t, "alt", s.all[0].Data[protocol.MIMETextPlain])
	require.IsType(t, []byte{}, s.all[0].Data[protocol.MIMEImagePNG])
	require.Equal(t, map[string]int{"width": 288}, s.all[0].Metadata["image/png"])
	require.Empty(t, s.all[0].DisplayID)
	require.Equal(t, "m", s.all[1].Data[protocol.MIMETextMarkdown])
	require.Equal(t, s.all[2].DisplayID, s.all[4].DisplayID, "the third replaces the first")
	require.NotEqual(t, s.all[2].DisplayID, s.all[3].DisplayID)
	require.Equal(t, "3", s.all[4].Data[protocol.MIMETextHTML])

	broken := &Output{place: &cell{send: func(*protocol.DisplayData) error { return errors.New("pipe is gone") }}}
	require.ErrorContains(t, broken.Show(1), "notebook: pipe is gone")
}

func TestProgress(t *testing.T) {
	var s sent
	p := s.output().Progress("features <f>")
	for i := 1; i <= 1000; i++ {
		p.Update("fit", i, 1000)
	}
	require.NotEmpty(t, s.all)
	require.Less(t, len(s.all), 100, "not every step is shown")
	last := s.all[len(s.all)-1].Data[protocol.MIMETextHTML].(string)
	require.Contains(t, last, `max="1000" value="1000"`)
	require.Contains(t, last, "features &lt;f&gt;, fit: 1000 of 1000")
	n := len(s.all)
	p.Update("fit", 1000, 1000)
	require.Len(t, s.all, n, "what is shown already is not shown again")
	p.Update("", 0, 0)
	require.Contains(t, s.all[len(s.all)-1].Data[protocol.MIMETextHTML], "features &lt;f&gt;: 0 of 0")
	require.NoError(t, p.Err())

	broken := &Output{place: &cell{send: func(*protocol.DisplayData) error { return errors.New("gone") }}}
	q := broken.Progress("x")
	q.Update("", 1, 1)
	q.Update("", 2, 2)
	require.ErrorContains(t, q.Err(), "gone")
}

// Outputs from several goroutines get different numbers.
func TestConcurrentOutputs(t *testing.T) {
	dir := t.TempDir()
	o := &Output{place: &files{dir: dir, out: io.Discard}}
	p := o.Progress("all")
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			p.Update("", i, 20)
			if err := o.Show(i); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	texts, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	require.NoError(t, err)
	require.Len(t, texts, 20)
}
