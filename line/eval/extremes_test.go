package eval_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
)

// shaded returns n pictures. Picture i has the grey level i in all pixels; the last picture is wide.
func shaded(t *testing.T, n int) dataset.Dataset {
	var all []dataset.Image
	for i := range n {
		width := 8
		if i == n-1 {
			width = 400
		}
		img := image.NewGray(image.Rect(0, 0, width, 8))
		for p := range img.Pix {
			img.Pix[p] = uint8(i)
		}
		all = append(all, dataset.FromImage(img))
	}
	set, err := dataset.FromImages("shades", all, nil, nil)
	require.NoError(t, err)
	return set
}

// samples returns five samples, and a head of three classes with two neurons each.
func samples() (eval.Set, posthoc.Head) {
	head := posthoc.Head{Classes: 3, FeatureDim: 4, Weight: []float32{
		1, 0, 2, -1,
		0, 1, 0, 0,
		0, 0, 0, 3,
	}, Bias: make([]float32, 3)}
	s := posthoc.Samples{N: 5, FeatureDim: 4, Classes: 3, Labels: []int{0, 1, 0, -1, 2}, Features: []float32{
		1, 2, 3, 4,
		1, 9, 0, 0,
		5, 0, 1, 1,
		0, 0, 0, 0,
		1, 1, 1, 9,
	}}
	for i := range s.N {
		for c := range 3 {
			l := float32(0)
			for j := range 4 {
				l += head.Weight[c*4+j] * s.Features[i*4+j]
			}
			s.Logits = append(s.Logits, l)
		}
	}
	return eval.Set{Name: "five", Samples: s}, head
}

func TestExtremes(t *testing.T) {
	set, head := samples()
	scores := []float64{2, 9, 2, -1, 2}
	got, err := eval.Extremes(set, shaded(t, 5), "mine", scores, head, eval.ExtremeOptions{Pictures: 2, Neurons: 1,
		Classes: []string{"ant", "bee"}})
	require.NoError(t, err)
	require.Equal(t, [2]string{"five", "mine"}, [2]string{got.Set, got.Method})
	strip := func(all []report.Picture) (out []report.Picture) {
		for _, p := range all {
			p.PNG = nil
			out = append(out, p)
		}
		return out
	}
	first := report.Picture{Caption: "shades#0", Score: 2, Prediction: "class 2", Label: "ant",
		Neurons: []report.Neuron{{Index: 3, Contribution: 12}}}
	require.Equal(t, []report.Picture{
		// the first of three ties
		{Caption: "shades#1", Score: 9, Prediction: "bee", Neurons: []report.Neuron{{Index: 1, Contribution: 9}}},
		first,
	}, strip(got.Most))
	require.Equal(t, []report.Picture{{Caption: "shades#3", Score: -1, Prediction: "ant"}, first}, strip(got.Least),
		"zeros contribute nothing")

	keep := func(class int) []bool { return []bool{true, true, false, class != 2} }
	got, err = eval.Extremes(set, shaded(t, 5), "mine", scores, head, eval.ExtremeOptions{Pictures: 9, Side: 100,
		Keep: keep})
	require.NoError(t, err)
	require.Len(t, got.Most, 5, "no more than there are")
	require.Empty(t, got.Most[1].Neurons, "class 2 keeps no neuron of its own")
	require.Equal(t, []report.Neuron{{Index: 0, Contribution: 5}}, got.Most[2].Neurons)
	wide, err := png.Decode(bytes.NewReader(got.Most[3].PNG))
	require.NoError(t, err)
	require.Equal(t, image.Pt(100, 2), wide.Bounds().Size(), "made smaller, in proportion")
	small, err := png.Decode(bytes.NewReader(got.Most[2].PNG))
	require.NoError(t, err)
	require.Equal(t, image.Pt(8, 8), small.Bounds().Size(), "small ones stay as they are")
	require.Equal(t, color.RGBA{2, 2, 2, 255}, color.RGBAModel.Convert(small.At(3, 3)), "the right picture")
}

func TestExtremesWithoutFeatures(t *testing.T) {
	set, _ := samples()
	set.FeatureDim, set.Features, set.Labels = 0, nil, nil
	got, err := eval.Extremes(set, shaded(t, 5), "msp", make([]float64, 5), posthoc.Head{},
		eval.ExtremeOptions{Pictures: 1})
	require.NoError(t, err)
	require.Empty(t, got.Most[0].Neurons)
	require.Equal(t, "shades#0", got.Most[0].Caption)
}

type broken struct{ dataset.Dataset }

var errPicture = errors.New("no such picture")

func (broken) Image(int) (dataset.Image, error) { return dataset.Image{}, errPicture }

func TestExtremesErrors(t *testing.T) {
	set, head := samples()
	scores := make([]float64, 5)
	_, err := eval.Extremes(set, shaded(t, 4), "m", scores, head, eval.ExtremeOptions{})
	require.EqualError(t, err, "extremes on five: expected 5 pictures and scores, got 4 and 5")
	_, err = eval.Extremes(set, shaded(t, 5), "m", scores[:1], head, eval.ExtremeOptions{})
	require.EqualError(t, err, "extremes on five: expected 5 pictures and scores, got 5 and 1")
	_, err = eval.Extremes(set, shaded(t, 5), "m", scores, posthoc.Head{Classes: 3, FeatureDim: 2},
		eval.ExtremeOptions{})
	require.EqualError(t, err, "extremes on five: expected a head of 4 features and 3 classes, got 2 and 3")
	_, err = eval.Extremes(set, broken{shaded(t, 5)}, "m", scores, head, eval.ExtremeOptions{})
	require.ErrorIs(t, err, errPicture)
}

func TestOutcomes(t *testing.T) {
	set, _ := samples()
	d := eval.Data{ID: set}
	require.Equal(t, []report.Outcome{report.Wrong, report.Right, report.Right, report.Unlabelled, report.Right},
		d.Outcomes())
	d.ID.Labels = nil
	require.Nil(t, d.Outcomes())
	d.ID.Labels = []int{-1, -1, -1, -1, -1}
	require.Nil(t, d.Outcomes())
}
