package posthoc_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/posthoc"
)

func newMethod(t require.TestingT, name string, o posthoc.Options) posthoc.Method {
	m, err := posthoc.New(name, o)
	require.NoError(t, err)
	require.Equal(t, name, m.Name())
	return m
}

func fitAndScore(t require.TestingT, m posthoc.Method, p problem) []float64 {
	require.NoError(t, m.Fit(context.Background(), p.head, p.fit))
	dst := make([]float64, p.test.N)
	require.NoError(t, m.Score(context.Background(), p.test, dst))
	return dst
}

// tolerance is the largest difference of a score from the literal one, relative to the score or to 1 if that is
// larger.
var tolerance = map[string]float64{}

func within(name string) float64 {
	if t, ok := tolerance[name]; ok {
		return t
	}
	return 1e-12
}

func TestAgainstLiteral(t *testing.T) {
	for _, name := range posthoc.Names() {
		t.Run(name, func(t *testing.T) {
			score := literals[name]
			require.NotNil(t, score, "a method without an independent computation of its scores")
			parameters, err := posthoc.Parameters(name)
			require.NoError(t, err)
			rapid.Check(t, func(t *rapid.T) {
				p := drawProblem(t)
				params := map[string]float64{}
				for _, q := range parameters {
					params[q.Name] = q.Default
					if len(q.Grid) > 0 {
						params[q.Name] = rapid.SampledFrom(append(q.Grid, q.Default)).Draw(t, q.Name)
					}
				}
				m := newMethod(t, name, posthoc.Options{Params: params})
				for i, got := range fitAndScore(t, m, p) {
					want := score(params, p, i)
					if math.IsNaN(want) {
						continue // rounding decides
					}
					require.InDelta(t, want, got, within(name)*math.Max(1, math.Abs(want)), "sample %d", i)
				}
			})
		})
	}
}

// realistic is a problem with the shape of a CIFAR DenseNet: features after a ReLU and pooling, 10 classes.
func realistic(classes, features, fit, test int) problem {
	rng := rand.New(rand.NewPCG(9, 9))
	normal := func(n int, scale float64) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(rng.NormFloat64() * scale)
		}
		return out
	}
	head := posthoc.Head{Classes: classes, FeatureDim: features, Weight: normal(classes*features, 0.3),
		Bias: normal(classes, 0.1)}
	relu := func(n int) []float32 {
		z := normal(n, 0.5)
		for i := range z {
			z[i] = max(0, z[i])
		}
		return z
	}
	p := problem{head, samplesOf(head, relu(fit*features)), samplesOf(head, relu(test*features))}
	p.fit.Labels = p.fit.Predictions()
	for i := range p.fit.Labels {
		if i%7 == 3 { // make the classifier err
			p.fit.Labels[i] = i % classes
		}
	}
	return p
}

func TestAgainstLiteralRealistic(t *testing.T) {
	p := realistic(10, 342, 120, 11)
	if testing.Short() {
		p = realistic(10, 64, 60, 7)
	}
	for name, score := range literals {
		m := newMethod(t, name, posthoc.Options{})
		params := map[string]float64{}
		for key, v := range m.Params() {
			params[key] = v.(float64)
		}
		for i, got := range fitAndScore(t, m, p) {
			want := score(params, p, i)
			assert.InDelta(t, want, got, within(name)*math.Max(1, math.Abs(want)), "%s %d", name, i)
		}
	}
}

// TestSameBits: scores have the same bits for any number of workers, and for samples scored one by one.
func TestSameBits(t *testing.T) {
	p := realistic(7, 131, 203, 67)
	for _, name := range posthoc.Names() {
		want := fitAndScore(t, newMethod(t, name, posthoc.Options{Workers: 1}), p)
		for _, workers := range []int{2, 3, 8} {
			got := fitAndScore(t, newMethod(t, name, posthoc.Options{Workers: workers}), p)
			assert.Equal(t, want, got, "%s with %d workers", name, workers)
		}
		m := newMethod(t, name, posthoc.Options{})
		require.NoError(t, m.Fit(t.Context(), p.head, p.fit))
		for i := range p.test.N {
			var dst [1]float64
			one := samplesOf(p.head, p.test.Features[i*131:(i+1)*131])
			require.NoError(t, m.Score(t.Context(), one, dst[:]))
			assert.Equal(t, want[i], dst[0], "%s, sample %d alone", name, i)
		}
	}
}

// TestFitOwnsWhatItLearned: Fit keeps nothing that its caller may change, and a second Fit forgets the first.
func TestFitOwnsWhatItLearned(t *testing.T) {
	for _, name := range posthoc.Names() {
		p, other := realistic(4, 20, 50, 9), realistic(4, 20, 30, 9)
		for i := range other.head.Weight {
			other.head.Weight[i] *= -1
		}
		m := newMethod(t, name, posthoc.Options{})
		require.NoError(t, m.Fit(t.Context(), other.head, other.fit))
		want := fitAndScore(t, m, p)
		clear(p.head.Weight)
		clear(p.head.Bias)
		clear(p.fit.Features)
		got := make([]float64, p.test.N)
		require.NoError(t, m.Score(t.Context(), p.test, got))
		assert.Equal(t, want, got, name)
		assert.Equal(t, want, fitAndScore(t, newMethod(t, name, posthoc.Options{}), realistic(4, 20, 50, 9)), name)
	}
}

// TestLargeLogits: logits far outside the range of exp give finite scores.
func TestLargeLogits(t *testing.T) {
	s := posthoc.Samples{N: 2, FeatureDim: 1, Classes: 2, Features: []float32{0, 0},
		Logits: []float32{2000, 1999, -3000, -3000}}
	for name, want := range map[string][]float64{
		"msp":      {1 / (1 + math.Exp(-1)), 0.5},
		"maxlogit": {2000, -3000},
		"energy":   {2000 + math.Log1p(math.Exp(-1)), -3000 + math.Ln2},
	} {
		got := make([]float64, 2)
		require.NoError(t, newMethod(t, name, posthoc.Options{}).Score(t.Context(), s, got))
		assert.InDeltaSlice(t, want, got, 1e-12, name)
	}
}

// TestReactAt100IsEnergy: clipping at the largest feature changes nothing, so that the score is the energy.
func TestReactAt100IsEnergy(t *testing.T) {
	p := realistic(5, 40, 60, 12)
	p.test = p.fit
	energy := fitAndScore(t, newMethod(t, "energy", posthoc.Options{}), p)
	react := fitAndScore(t, newMethod(t, "react", posthoc.Options{Params: map[string]float64{"percentile": 100}}), p)
	assert.InDeltaSlice(t, energy, react, 1e-6, "the logits given are float32, react's own float64")
}

func TestNewErrors(t *testing.T) {
	_, err := posthoc.New("nose", posthoc.Options{})
	require.EqualError(t, err, `posthoc: method: expected one of `+strings.Join(posthoc.Names(), ", ")+`, got "nose"`)
	for _, name := range posthoc.Names() {
		assert.ErrorContains(t, err, name)
	}
	for _, c := range []struct {
		name, key string
		value     float64
		want      string
	}{
		{"msp", "p", 1, `posthoc: msp: parameter: expected none, got "p"`},
		{"dice", "percentile", 1, `posthoc: dice: parameter: expected one of p, got "percentile"`},
		{"dice", "p", 100.5, "posthoc: dice: parameter p: expected a value in [0, 100], got 100.5"},
		{"react", "p", math.NaN(), "posthoc: react: parameter percentile: expected a value in [0, 100], got NaN"},
		{"energy", "temperature", 0, "parameter temperature: expected a value in (0, "},
		{"energy", "temperature", math.Inf(1), "got +Inf"},
	} {
		_, err := posthoc.New(c.name, posthoc.Options{Params: map[string]float64{c.key: c.value}})
		assert.ErrorContains(t, err, c.want)
	}
	_, err = posthoc.New("msp", posthoc.Options{Workers: -1})
	assert.EqualError(t, err, "posthoc: msp: expected 0 or more workers, got -1")
	_, err = posthoc.Parameters("nose")
	assert.ErrorContains(t, err, "posthoc: method: expected one of ")
}

func TestParametersDescribeDefaults(t *testing.T) {
	for _, name := range posthoc.Names() {
		params, err := posthoc.Parameters(name)
		require.NoError(t, err)
		want := map[string]any{}
		for _, p := range params {
			want[p.Name] = p.Default
			assert.NotEmpty(t, p.Doc)
		}
		m := newMethod(t, name, posthoc.Options{})
		assert.Equal(t, want, m.Params())
		m.Params()["changed"] = 1
		assert.Equal(t, want, m.Params(), "Params must return a copy")
	}
}

func TestScoreErrors(t *testing.T) {
	p := realistic(3, 4, 5, 2)
	for _, name := range posthoc.Names() {
		m := newMethod(t, name, posthoc.Options{})
		dst := make([]float64, 2)
		err := m.Score(t.Context(), p.test, dst)
		learns := err != nil
		if learns {
			assert.ErrorIs(t, err, posthoc.ErrNotFitted)
			assert.EqualError(t, err, "posthoc: "+name+": not fitted")
		}
		k, err := posthoc.LookUp(name)
		require.NoError(t, err)
		assert.True(t, learns || k.FittedOn == posthoc.Nothing, "%s is fitted on %s", name, k.FittedOn)
		require.NoError(t, m.Fit(t.Context(), p.head, p.fit))
		assert.EqualError(t, m.Score(t.Context(), p.test, dst[:1]),
			"posthoc: "+name+": expected room for 2 scores, one for each sample, got room for 1")
		bad := p.test
		bad.Features = slices.Clone(bad.Features)
		bad.Features[5] = float32(math.NaN())
		assert.EqualError(t, m.Score(t.Context(), bad, dst), "posthoc: "+name+": sample 1: feature 1 is NaN")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, m.Score(ctx, p.test, dst), context.Canceled)

		if learns {
			assert.ErrorIs(t, m.Fit(ctx, p.head, p.fit), context.Canceled)
			other := realistic(3, 5, 5, 2)
			assert.EqualError(t, m.Score(t.Context(), other.test, dst), "posthoc: "+name+
				": expected samples of 4 features and 3 classes, as the head has, got 5 and 3")
			assert.ErrorContains(t, m.Fit(t.Context(), p.head, other.fit),
				"expected samples of 4 features and 3 classes, as the head has, got 5 and 3")
			assert.ErrorContains(t, m.Fit(t.Context(),
				posthoc.Head{}, p.fit), name+": expected a head of at least 1 class and 1 feature, got 0 and 0")
			assert.ErrorContains(t, m.Fit(t.Context(), p.head, bad), "sample 1: feature 1 is NaN")
			assert.NoError(t, m.Score(t.Context(), p.test, dst), "a failed Fit keeps the earlier one")
		}
	}
}

func TestValidate(t *testing.T) {
	inf := float32(math.Inf(-1))
	good := func() posthoc.Samples {
		return posthoc.Samples{
			N: 2, FeatureDim: 2, Classes: 3, Features: make([]float32, 4), Logits: make([]float32, 6),
			Labels: []int{-1, 2},
		}
	}
	require.NoError(t, good().Validate())
	for want, change := range map[string]func(*posthoc.Samples){
		"posthoc: expected at least 1 sample, got 0": func(s *posthoc.Samples) {
			*s = posthoc.Samples{}
		},
		"expected samples of at least 1 class and at least 0 features, got 0 classes and 2 " +
			"features": func(s *posthoc.Samples) { s.Classes = 0 },
		"features: expected 2 samples x 2 features = 4 values, got 3": func(s *posthoc.Samples) {
			s.Features = s.Features[:3]
		},
		"logits: expected 2 samples x 3 classes = 6 values, got 0": func(s *posthoc.Samples) { s.Logits = nil },
		"posthoc: expected a label for each of 2 samples, got 1": func(s *posthoc.Samples) {
			s.Labels = s.Labels[:1]
		},
		"posthoc: sample 1: feature 0 is -Inf": func(s *posthoc.Samples) {
			s.Features[2] = inf
		},
		"posthoc: sample 1: logit of class 2 is -Inf": func(s *posthoc.Samples) {
			s.Logits[5] = inf
		},
		"posthoc: sample 0: expected a label of -1 or a class below 3, got -2": func(s *posthoc.Samples) {
			s.Labels[0] = -2
		},
		"posthoc: sample 1: expected a label of -1 or a class below 3, got 3": func(s *posthoc.Samples) {
			s.Labels[1] = 3
		},
	} {
		s := good()
		change(&s)
		assert.ErrorContains(t, s.Validate(), want)
	}
	for want, h := range map[string]posthoc.Head{
		"the network has no linear last layer":                           {Classes: 1},
		"expected a head of at least 1 class and 1 feature, got 0 and 2": {FeatureDim: 2},
		"head weight: expected 1 classes x 2 features = 2 values, got 1": {Classes: 1, FeatureDim: 2,
			Weight: make([]float32, 1)},
		"head bias: expected a value for each of 1 classes, got 0": {Classes: 1, FeatureDim: 1,
			Weight: make([]float32, 1)},
		"head weight of class 1, feature 0 is -Inf": {
			Classes: 2, FeatureDim: 2, Weight: []float32{0, 0, inf, 0}, Bias: make([]float32, 2)},
		"head bias of class 1 is -Inf": {Classes: 2, FeatureDim: 1, Weight: make([]float32, 2),
			Bias: []float32{0, inf}},
	} {
		assert.ErrorContains(t, h.Validate(), want)
	}
}

func ExampleNew() {
	head := posthoc.Head{Classes: 2, FeatureDim: 3, Weight: []float32{1, 0, 0, 0, 1, 0.5}, Bias: []float32{0, 0}}
	id := posthoc.Samples{
		N: 2, FeatureDim: 3, Classes: 2,
		Features: []float32{4, 0, 1, 0, 5, 1},
		Logits:   []float32{4, 0.5, 0, 5.5},
	}
	odd := posthoc.Samples{N: 1, FeatureDim: 3, Classes: 2, Features: []float32{1, 1, 9}, Logits: []float32{1, 5.5}}

	for _, name := range []string{"msp", "react"} {
		m, err := posthoc.New(name, posthoc.Options{Params: map[string]float64{}})
		if err != nil {
			panic(err)
		}
		ctx := context.Background()
		if err := m.Fit(ctx, head, id); err != nil {
			panic(err)
		}
		scores, score := make([]float64, id.N), make([]float64, odd.N)
		if err := m.Score(ctx, id, scores); err != nil {
			panic(err)
		}
		if err := m.Score(ctx, odd, score); err != nil {
			panic(err)
		}
		fmt.Printf("%s: in-distribution %.2f, odd %.2f\n", name, scores, score)
	}
	both, err := posthoc.New("react+dice", posthoc.Options{Params: map[string]float64{"dice.p": 70}})
	if err != nil {
		panic(err)
	}
	fmt.Println(both.Name(), both.Params())
	// Output:
	// msp: in-distribution [0.97 1.00], odd [0.99]
	// react: in-distribution [4.03 5.01], odd [3.35]
	// react+dice map[dice.p:70 react.percentile:90]
}

func BenchmarkScore(b *testing.B) {
	for _, size := range []struct{ classes, features int }{{10, 342}, {1000, 2048}} {
		p := realistic(size.classes, size.features, 64, 256)
		for _, name := range posthoc.Names() {
			b.Run(fmt.Sprintf("%s/K=%d,D=%d", name, size.classes, size.features), func(b *testing.B) {
				m := newMethod(b, name, posthoc.Options{})
				dst := make([]float64, p.test.N)
				require.NoError(b, m.Fit(b.Context(), p.head, p.fit))
				for b.Loop() {
					if err := m.Score(b.Context(), p.test, dst); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*p.test.N), "µs/sample")
			})
		}
	}
}
