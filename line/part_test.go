package line_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

// TestPartIsMethod: LINe as a part, scored by the energy, gives the scores of LINe's graph, with any steps on or off.
func TestPartIsMethod(t *testing.T) {
	head, fit, test := methodProblem(t)
	for _, params := range []map[string]float64{
		{}, {"p_a": 50, "p_w": 30, "clip": 0.3}, {"ac": 0}, {"ap": 0}, {"wp": 0}, {"ap": 0, "wp": 0},
		{"clip_percentile": 80}, {"clip_percentile": 80, "clip_per_class": 1},
	} {
		whole := scoresOf(t, "line", params, head, fit, test)
		prefixed := map[string]float64{}
		for key, v := range params {
			prefixed["line."+key] = v
		}
		for i, got := range scoresOf(t, "line+energy", prefixed, head, fit, test) {
			assert.InDelta(t, whole[i], got, 1e-5*math.Max(1, math.Abs(whole[i])), "%v, sample %d", params, i)
		}
	}
	_, err := posthoc.New("line+energy", posthoc.Options{Params: map[string]float64{"line.clip": -1}})
	assert.Error(t, err)
}

// TestPartRestores: the state of a composition with LINe can be saved and restored.
func TestPartRestores(t *testing.T) {
	head, fit, test := methodProblem(t)
	params := map[string]float64{"line.clip_percentile": 80}
	m, err := posthoc.New("line+react", posthoc.Options{Params: params})
	require.NoError(t, err)
	require.NoError(t, m.Fit(t.Context(), head, fit))
	state, err := posthoc.State(m)
	require.NoError(t, err)
	other, err := posthoc.New("line+react", posthoc.Options{Params: params})
	require.NoError(t, err)
	require.NoError(t, posthoc.Restore(other, head, state))
	want, got := make([]float64, test.N), make([]float64, test.N)
	require.NoError(t, m.Score(t.Context(), test, want))
	require.NoError(t, other.Score(t.Context(), test, got))
	assert.Equal(t, want, got)
	state["line.Mean"] = []float32{1}
	assert.ErrorContains(t, posthoc.Restore(other, head, state), "contributions for")
}

func scoresOf(t testing.TB, name string, params map[string]float64, head posthoc.Head, fit,
	test posthoc.Samples) []float64 {
	t.Helper()
	m, err := posthoc.New(name, posthoc.Options{Params: params})
	require.NoError(t, err)
	require.NoError(t, m.Fit(t.Context(), head, fit))
	dst := make([]float64, test.N)
	require.NoError(t, m.Score(t.Context(), test, dst))
	return dst
}

// methodProblem returns a head, labelled samples to fit, and samples to score.
func methodProblem(t testing.TB) (head posthoc.Head, fit, test posthoc.Samples) {
	t.Helper()
	const k, d = 4, 12
	value := func(i int) float32 { return float32(math.Sin(float64(i)*0.7) * 1.3) }
	head = posthoc.Head{Classes: k, FeatureDim: d, Weight: make([]float32, k*d), Bias: make([]float32, k)}
	for i := range head.Weight {
		head.Weight[i] = value(3*i + 1)
	}
	make := func(n, from int) posthoc.Samples {
		s := posthoc.Samples{N: n, FeatureDim: d, Classes: k}
		for i := range n {
			for j := range d {
				s.Features = append(s.Features, max(0, value(from+i*d+j)))
			}
			for c := range k {
				var l float32
				for j := range d {
					l += head.Weight[c*d+j] * s.Features[i*d+j]
				}
				s.Logits = append(s.Logits, l)
			}
			s.Labels = append(s.Labels, i%k)
		}
		return s
	}
	return head, make(60, 1000), make(17, 5)
}
