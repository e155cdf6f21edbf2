package figure_test

import (
	"bytes"
	"errors"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/line-ood/goline/internal/figure"
)

func square(alt string) *figure.Figure {
	return &figure.Figure{Alt: alt, Width: vg.Inch, Height: 2 * vg.Inch,
		Draw: func(c draw.Canvas) { c.Fill(c.Rectangle.Path()) }}
}

func TestFigure(t *testing.T) {
	f := square(`a "square" & more`)
	var out bytes.Buffer
	n, err := f.WriteTo(&out)
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), n)
	img, err := png.Decode(&out)
	require.NoError(t, err)
	require.Equal(t, 144, img.Bounds().Dx())
	require.Equal(t, 288, img.Bounds().Dy())
	out.Reset()
	_, err = f.SVG().WriteTo(&out)
	require.NoError(t, err)
	require.Contains(t, out.String(), "<title>a &#34;square&#34; &amp; more</title>")
	element, err := f.Element()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(element, "<svg role="))
	bare, err := square("").Element()
	require.NoError(t, err)
	require.NotContains(t, bare, "<title>")
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestFigureErrors(t *testing.T) {
	f := square("x")
	_, err := f.WriteTo(broken{})
	require.ErrorContains(t, err, "broken")
	_, err = f.SVG().WriteTo(broken{})
	require.ErrorContains(t, err, "broken")
	for _, dpi := range []int{-1, 1201} {
		f.DPI = dpi
		_, err = f.WriteTo(new(bytes.Buffer))
		require.ErrorContains(t, err, "expected 1 to 1200")
	}
	f = square("x")
	f.Draw = func(draw.Canvas) { panic("no") }
	var out bytes.Buffer
	_, err = f.WriteTo(&out)
	require.ErrorContains(t, err, "drawing failed: no")
	_, err = f.Element()
	require.ErrorContains(t, err, "drawing failed: no")
	require.Zero(t, out.Len())
}
