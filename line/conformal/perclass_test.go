package conformal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/conformal"
)

func TestPerClass(t *testing.T) {
	scores := []float64{1, 2, 3, 11, 12, 13, 21, 31, 32}
	predicted := []int{0, 0, 0, 1, 1, 1, 2, 3, 3}
	m, err := conformal.NewPerClass(scores, predicted, 5, 3)
	require.NoError(t, err)
	require.Equal(t, 5, m.Classes())
	for class, want := range []struct {
		group  conformal.Group
		scores []float64
	}{
		{conformal.OwnClass, []float64{1, 2, 3}},
		{conformal.OwnClass, []float64{11, 12, 13}},
		{conformal.SmallClasses, []float64{21, 31, 32}},
		{conformal.SmallClasses, []float64{21, 31, 32}},
		{conformal.SmallClasses, []float64{21, 31, 32}}, // a class that no calibration sample is predicted as
	} {
		c, group := m.For(class)
		require.Equal(t, want.group, group, class)
		require.Equal(t, want.scores, c.Scores(), class)
	}
	require.Equal(t, []string{"own class", "small classes", "all classes"},
		[]string{conformal.OwnClass.String(), conformal.SmallClasses.String(), conformal.AllClasses.String()})

	// The small classes are too small even together, and use all samples.
	m, err = conformal.NewPerClass(scores[:8], predicted[:8], 4, 3)
	require.NoError(t, err)
	c, group := m.For(3)
	require.Equal(t, conformal.AllClasses, group)
	require.Equal(t, 8, c.N())

	_, err = m.Threshold(1, 0.1)
	require.EqualError(t, err,
		"conformal: a false-alarm rate of 0.1: expected at least 9 calibration samples of predicted class 1, got 3")
	_, err = m.Threshold(3, 0.1)
	require.EqualError(t, err, "conformal: a false-alarm rate of 0.1: expected at least 9 calibration samples, got 8")
	th, err := m.Threshold(1, 0.25)
	require.NoError(t, err)
	require.Equal(t, 11.0, th.Score)

	adjusted, err := m.Conditional(conformal.Pointwise, 0.1)
	require.NoError(t, err)
	own, _ := m.For(0)
	want, err := own.Conditional(conformal.Pointwise, 0.1)
	require.NoError(t, err)
	got, group := adjusted.For(0)
	require.Equal(t, conformal.OwnClass, group)
	require.Equal(t, want.PValue(1.5), got.PValue(1.5))
	_, err = m.Conditional(conformal.Asymptotic, 0.1)
	require.ErrorContains(t, err, "predicted class 0: conformal: expected at least 17")
}

func TestPerClassRefuses(t *testing.T) {
	for want, make := range map[string]func() error{
		"expected a predicted class for each of 2 scores, got 1": func() error {
			_, err := conformal.NewPerClass([]float64{1, 2}, []int{0}, 1, 1)
			return err
		},
		"expected at least one class, got 0": func() error {
			_, err := conformal.NewPerClass([]float64{1}, []int{0}, 0, 1)
			return err
		},
		"expected at least one calibration sample a class, got 0": func() error {
			_, err := conformal.NewPerClass([]float64{1}, []int{0}, 1, 0)
			return err
		},
		"calibration sample 0: expected a predicted class from 0 to 2, got 3": func() error {
			_, err := conformal.NewPerClass([]float64{1}, []int{3}, 3, 1)
			return err
		},
		"expected at least one calibration score, got none": func() error {
			_, err := conformal.NewPerClass(nil, nil, 3, 1)
			return err
		},
	} {
		require.EqualError(t, make(), "conformal: "+want)
	}
}

func TestCalibrator(t *testing.T) {
	r := conformal.Record{Scores: shuffled(200, 3), Predicted: make([]int, 200), Classes: 1000}
	for i := range r.Predicted {
		r.Predicted[i] = i % 4
	}
	c, err := conformal.NewCalibrator(r)
	require.NoError(t, err)
	require.Equal(t, conformal.Options{Alpha: 0.05, Delta: 0.1}, c.Options())
	require.Equal(t, 200, c.N())
	require.Nil(t, c.PerClass())
	require.Equal(t, c.All().PValue(7), c.PValue(7, 999))
	th, err := c.Thresholds(0.05)
	require.NoError(t, err)
	require.Len(t, th, 1)

	r.Options = conformal.Options{MinPerClass: 50, Adjustment: conformal.Pointwise}
	c, err = conformal.NewCalibrator(r)
	require.NoError(t, err)
	_, err = c.Thresholds(0.001)
	require.ErrorContains(t, err,
		"a false-alarm rate of 0.001 with probability 0.9 (pointwise): expected at least 2302 calibration samples of "+
			"predicted class 0, got 50")
	th, err = c.Thresholds(0.1)
	require.NoError(t, err)
	require.Len(t, th, 1000)
	for _, k := range []int{0, 3, 4, 999} {
		group, _ := c.PerClass().For(k)
		require.Equal(t, group.PValue(30), c.PValue(30, k))
		require.Equal(t, c.PValue(12, k) <= 0.1, th[k].OOD(12), "class %d", k)
	}

	for want, o := range map[string]conformal.Options{
		"expected a rate between 0 and 1, got 2":                                 {Alpha: 2},
		"expected a probability δ between 0 and 1, got -1":                       {Delta: -1},
		"expected a number of calibration samples a class, got -1":               {MinPerClass: -1},
		"unknown adjustment 9":                                                   {Adjustment: 9},
		"expected at least 17 calibration samples for the asymptotic adjustment": {Adjustment: conformal.Asymptotic},
	} {
		_, err := conformal.NewCalibrator(conformal.Record{Scores: []float64{1, 2}, Predicted: []int{0, 0}, Classes: 1,
			Options: o})
		require.ErrorContains(t, err, want)
	}
}
