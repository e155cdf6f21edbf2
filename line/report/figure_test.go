package report_test

import (
	"bytes"
	"encoding/xml"
	"image"
	"image/color"
	"image/png"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/report"
)

func rendered(t require.TestingT, from io.WriterTo) []byte {
	var out bytes.Buffer
	n, err := from.WriteTo(&out)
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), n)
	return out.Bytes()
}

// at returns the figure with another resolution.
func at(f *report.Figure, dpi int) *report.Figure {
	other := *f
	other.DPI = dpi
	return &other
}

func figures(t require.TestingT, r report.Result) map[string]*report.Figure {
	scores := scoresFor(r)
	var curves []report.Curve
	for _, s := range scores {
		curves = append(curves, report.Curve{Name: s.Method, ID: s.ID, OOD: s.OOD[0].Scores})
	}
	roc, err := report.ROC(r.Methods[0].OOD[0].Name, curves)
	require.NoError(t, err)
	histograms, err := report.Histograms(scores[0])
	require.NoError(t, err)
	return map[string]*report.Figure{"roc": roc, "histograms": histograms}
}

// parse reads all of an XML document and returns its text and the attributes of its first element.
func parse(t require.TestingT, document []byte) (text string, first map[string]string) {
	d := xml.NewDecoder(bytes.NewReader(document))
	var out strings.Builder
	for {
		token, err := d.Token()
		if err == io.EOF {
			return out.String(), first
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.CharData:
			out.Write(token)
		case xml.StartElement:
			require.Contains(t, []string{"svg", "title", "g", "path", "text"}, token.Name.Local)
			if first == nil {
				first = map[string]string{}
				for _, a := range token.Attr {
					first[a.Name.Local] = a.Value
				}
			}
		}
	}
}

func TestSVG(t *testing.T) {
	for name, f := range figures(t, example()) {
		svg := rendered(t, f.SVG())
		text, root := parse(t, svg)
		assert.Equal(t, "img", root["role"], name)
		assert.Equal(t, f.Alt, root["aria-label"], name)
		assert.NotEmpty(t, root["viewBox"])
		assert.Equal(t, svg, rendered(t, f.SVG()), "%s: the same each time", name)
		want := []string{"False positive rate: OOD accepted (%)", "True positive rate: ID accepted (%)", "textures10",
			"energy ("}
		if name == "histograms" {
			want = []string{"share of set (%)", "score (higher = more ID)", "textures10", "mnist",
				"line: scores of 2000 ID"}
		}
		for _, s := range want {
			assert.Contains(t, text, s, name)
		}
	}
}

// The key and each panel hold a dashed line for the threshold, if the threshold lies on the axis.
func TestHistogramsMarkTheThreshold(t *testing.T) {
	dashed := func(id []float64) int {
		f, err := report.Histograms(report.Scores{Method: "m", ID: id, OOD: []report.NamedScores{
			{Name: "s", Scores: []float64{0, 1}}, {Name: "t", Scores: []float64{0, 2}},
		}})
		require.NoError(t, err)
		return strings.Count(string(rendered(t, f.SVG())), "stroke-dasharray")
	}
	assert.Equal(t, 1+2, dashed([]float64{1, 2, 3}))
	assert.Equal(t, 1, dashed([]float64{-inf, 2, 3}))
}

func TestFiguresEscapeNames(t *testing.T) {
	for name, f := range figures(t, nastyResult()) {
		svg := rendered(t, f.SVG())
		_, root := parse(t, svg) // parse also shows that there is no script element
		assert.Contains(t, root["aria-label"], "<script>", name)
		assert.NotContains(t, string(svg), "\x1b", name)
		assert.NotContains(t, string(svg), "\u202e", name)
	}
}

func TestPNG(t *testing.T) {
	for name, f := range figures(t, example()) {
		small, err := png.Decode(bytes.NewReader(rendered(t, at(f, 72).PNG())))
		require.NoError(t, err)
		large, err := png.Decode(bytes.NewReader(rendered(t, f.PNG())))
		require.NoError(t, err)
		assert.InDelta(t, 2*small.Bounds().Dx(), large.Bounds().Dx(), 2, "%s: 144 dots per inch by default", name)
		assert.Greater(t, share(large, func(c color.RGBA) bool { return c == color.RGBA{255, 255, 255, 255} }), 0.3,
			name)
		assert.Greater(t, share(large, func(c color.RGBA) bool { return c.B > c.R+0x40 }), 0.002, "%s: blue", name)
		assert.Greater(t, share(large, func(c color.RGBA) bool { return c.R > c.B+0x60 }), 0.002, "%s: vermillion",
			name)
		for _, dpi := range []int{-1, 1201} {
			_, err := at(f, dpi).PNG().WriteTo(io.Discard)
			assert.ErrorContains(t, err, "dots per inch")
		}
	}
}

func share(img image.Image, is func(color.RGBA) bool) float64 {
	b := img.Bounds()
	n := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if is(color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)) {
				n++
			}
		}
	}
	return float64(n) / float64(b.Dx()*b.Dy())
}

func TestFiguresOfOneScoreEach(t *testing.T) {
	one := []float64{1}
	_, err := report.ROC("s", []report.Curve{{Name: "m", ID: one, OOD: one}})
	require.NoError(t, err)
	f, err := report.Histograms(report.Scores{Method: "m", ID: one,
		OOD: []report.NamedScores{{Name: "s", Scores: one}}})
	require.NoError(t, err)
	rendered(t, at(f, 72).PNG())
}

func TestFiguresWithInfinities(t *testing.T) {
	id, ood := []float64{inf, 2, 3, 4, -inf}, []float64{-inf, 0, 1}
	f, err := report.Histograms(report.Scores{Method: "m", ID: id, OOD: []report.NamedScores{{Name: "s", Scores: ood}}})
	require.NoError(t, err)
	svg := rendered(t, f.SVG())
	assert.NotRegexp(t, `NaN|Inf`, regexp.MustCompile(`(?s)<path.*`).FindString(string(svg)))
	f, err = report.ROC("s", []report.Curve{{Name: "m", ID: id, OOD: ood}})
	require.NoError(t, err)
	assert.NotContains(t, string(rendered(t, f.SVG())), "NaN")
}

func TestFigureErrors(t *testing.T) {
	one := []float64{1}
	_, err := report.ROC("s", nil)
	assert.EqualError(t, err, `report: ROC of "s": no curves`)
	_, err = report.ROC("s", []report.Curve{{Name: "m", ID: one}})
	assert.EqualError(t, err, `report: ROC of "s", "m": metrics: expected scores of the OOD set, got none`)
	_, err = report.Histograms(report.Scores{Method: "m", ID: one})
	assert.EqualError(t, err, `report: histograms of "m": no OOD sets`)
	for _, bad := range [][]float64{nil, {nan}, {inf}} {
		_, err = report.Histograms(report.Scores{Method: "m", ID: one,
			OOD: []report.NamedScores{{Name: "s", Scores: bad}}})
		assert.ErrorContains(t, err, `report: histograms of "m": OOD set "s": `)
		_, err = report.Histograms(report.Scores{Method: "m", ID: bad,
			OOD: []report.NamedScores{{Name: "s", Scores: one}}})
		assert.ErrorContains(t, err, `report: histograms of "m": ID set: `)
	}
}
