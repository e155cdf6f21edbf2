package posthoc_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

// The order of a head mask and a clip does not matter, because both are fitted to unchanged features.
func TestComposeOrder(t *testing.T) {
	p := realistic(5, 40, 60, 12)
	a := fitAndScore(t, newMethod(t, "react+dice", posthoc.Options{}), p)
	b := fitAndScore(t, newMethod(t, "dice+react", posthoc.Options{}), p)
	assert.Equal(t, a, b)
	assert.Equal(t, a, fitAndScore(t, newMethod(t, "react+dice+energy", posthoc.Options{}), p),
		"the energy is the score of shapers alone")
}

// A score after a shaper reads the shaper's result: the logits of clipped features.
func TestComposeScore(t *testing.T) {
	p := realistic(5, 40, 60, 12)
	got := fitAndScore(t, newMethod(t, "react+maxlogit", posthoc.Options{Params: map[string]float64{"react.p": 50}}), p)
	for i := range got {
		logits := affine(p.head, clipped(50, p, i), nil)
		want := logits[0]
		for _, l := range logits {
			want = max(want, l)
		}
		assert.InDelta(t, want, got[i], 1e-12)
	}
}

func TestComposeErrors(t *testing.T) {
	known := "one of " + strings.Join(posthoc.Names(), ", ")
	for name, want := range map[string]string{
		"msp+energy":  `posthoc: msp+energy: both msp and energy have a score of their own`,
		"react+react": "posthoc: react+react: react stands twice",
		"react+nose":  `posthoc: react+nose: method: expected ` + known + `, got "nose"`,
		"react+":      `posthoc: react+: method: expected ` + known + `, got "react"`,
		"+react":      `posthoc: +react: method: expected ` + known + `, got ""`,
	} {
		_, err := posthoc.New(name, posthoc.Options{})
		assert.ErrorContains(t, err, want)
	}
	_, err := posthoc.New("react+dice", posthoc.Options{Params: map[string]float64{"p": 3}})
	assert.EqualError(t, err, `posthoc: react+dice: parameter: expected one of react.percentile, dice.p, got "p"`)
}

// The state of a fitted method, restored in another method of its name, gives the same scores. Its size is measured.
func TestStateAndRestore(t *testing.T) {
	p := realistic(5, 40, 60, 12)
	for _, name := range append(posthoc.Names(), "react+maxlogit") {
		m := newMethod(t, name, posthoc.Options{})
		want := fitAndScore(t, m, p)
		state, err := posthoc.State(m)
		require.NoError(t, err)
		other := newMethod(t, name, posthoc.Options{})
		require.NoError(t, posthoc.Restore(other, p.head, state))
		got := make([]float64, p.test.N)
		require.NoError(t, other.Score(t.Context(), p.test, got))
		assert.Equal(t, want, got, name)
		assert.True(t, len(state) == 0 || m.(posthoc.Sizer).Bytes() > 0, name)
		for key := range state {
			v := state[key]
			delete(state, key)
			assert.EqualError(t, posthoc.Restore(newMethod(t, name, posthoc.Options{}), p.head, state),
				"posthoc: "+name+": state lacks "+key)
			state[key] = "text"
			assert.ErrorContains(t, posthoc.Restore(newMethod(t, name, posthoc.Options{}), p.head, state),
				"state "+key+": expected ")
			state[key] = v
		}
	}
}
