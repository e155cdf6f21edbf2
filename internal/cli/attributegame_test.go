package cli

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/nets"
)

// stageFor opens what the flags name, as the commands do.
func (w attributeWorld) stageFor(t testing.TB, g gameFlags) *stage {
	t.Helper()
	g.net = network{w.args[1], w.args[3]}
	g.data, g.fit, g.layer = w.path("test.npz"), w.path("train.npz"), nets.Features
	p, err := g.check(true)
	require.NoError(t, err)
	s, err := (&common{batch: 2, workers: 2, seed: 3, device: "cpu", progress: "never"}).newStage(p)
	require.NoError(t, err)
	return s
}

// valuesOf are the values of the empty and the grand coalition and of a few between.
func valuesOf(t testing.TB, g attribution.Game) []float64 {
	t.Helper()
	s := attribution.NewCoalitions(g.Players(), 6)
	for r := range s.Len() {
		for i := range g.Players() {
			if r == 1 || r > 1 && (i*7+r*5)%(r+2) == 0 {
				s.Row(r).Add(i)
			}
		}
	}
	out := make([]float64, s.Len())
	require.NoError(t, g.Values(context.Background(), s, out))
	return out
}

// TestAttributeTwoWaysToPlay: games on the penultimate neurons have the same values through the graph as in their closed form,
// for every value, removal, scope and kind of players.
func TestAttributeTwoWaysToPlay(t *testing.T) {
	w := newAttributeWorld(t)
	ctx := context.Background()
	require.Equal(t, exitDone, Run(ctx, append([]string{"fit", "--data", w.path("train.npz"), "--out", w.path("det.npz"), "--p-a", "50", "--p-w", "50",
		"--clip", "1e6"}, w.args...), new(bytes.Buffer), os.Stderr)) // unclipped, so that both ways predict the same class
	for _, value := range []string{"logit", "probability", "log-probability", "log-sum-exp", "margin", "line"} {
		for _, removal := range []string{"zero", "mean", "class-mean", "resample"} {
			for _, scope := range []string{"sample", "class"} {
				for _, groups := range []int{0, 4} {
					s := w.stageFor(t, gameFlags{value: value, removal: removal, scope: scope, groups: groups, detector: w.path("det.npz"), background: 3, images: 5})
					closed, err := s.featureSubjects(ctx)
					require.NoError(t, err)
					through, err := s.layerSubjects(ctx)
					require.NoError(t, err)
					require.Len(t, through, len(closed))
					for i := range closed {
						what := []any{"%s, %s, %s, %d groups, %s", value, removal, scope, groups, closed[i].Name}
						assert.InDeltaSlice(t, valuesOf(t, closed[i].Game), valuesOf(t, through[i].Game), 2e-4, what...)
						a, b := closed[i], through[i]
						a.Game, b.Game = nil, nil
						assert.Equal(t, a, b, what...)
					}
				}
			}
		}
	}
}

// TestAttributeRemovals: the value of the empty coalition is that of the rows which replace removed neurons.
func TestAttributeRemovals(t *testing.T) {
	w := newAttributeWorld(t)
	ctx := context.Background()
	require.Equal(t, exitDone, Run(ctx, append([]string{"features", "--data", w.path("train.npz"), "--out", w.path("z.npz")}, w.args...), new(bytes.Buffer), os.Stderr))
	file, err := npyz.ReadNpz(w.path("z.npz"))
	require.NoError(t, err)
	logits, err := file.Float64("logits", 18, worldClasses)
	require.NoError(t, err)
	labels, err := file.Ints("labels", 18)
	require.NoError(t, err)
	// The logit is linear: that of a mean of rows is the mean of their logits.
	const class = 1
	of := func(keep func(i int) bool) float64 {
		total, n := 0.0, 0.0
		for i := range labels {
			if keep(i) {
				total += logits[i*worldClasses+class]
				n++
			}
		}
		return total / n
	}
	background := map[int]bool{}
	for _, i := range choose(4, 18, 3, backgroundStream) {
		background[i] = true
	}
	for removal, want := range map[string]float64{
		"mean":       of(func(int) bool { return true }),
		"class-mean": of(func(i int) bool { return labels[i] == class }),
		"resample":   of(func(i int) bool { return background[i] }),
	} {
		s := w.stageFor(t, gameFlags{value: "logit", removal: removal, scope: "sample", target: "1", background: 4, images: 2})
		for _, play := range []func(context.Context) ([]subject, error){s.featureSubjects, s.layerSubjects} {
			subjects, err := play(ctx)
			require.NoError(t, err)
			for _, one := range subjects {
				assert.Equal(t, class, one.Class)
				assert.InDelta(t, want, valuesOf(t, one.Game)[0], 1e-4, removal)
			}
		}
	}
}

func TestGroup(t *testing.T) {
	p := plan{gameFlags: gameFlags{layer: "conv", groups: 4}}
	groups, names, err := p.group([]int{2, 1, 5})
	require.NoError(t, err)
	assert.Equal(t, [][]int{{0, 1}, {2, 3, 4}, {5, 6}, {7, 8, 9}}, groups)
	assert.Equal(t, []string{"conv[0:2]", "conv[2:5]", "conv[5:7]", "conv[7:10]"}, names)
	p.groups = 0
	groups, names, err = p.group([]int{2, 1, 2})
	require.NoError(t, err)
	assert.Nil(t, groups)
	assert.Equal(t, []string{"conv[0,0,0]", "conv[0,0,1]", "conv[1,0,0]", "conv[1,0,1]"}, names)
	p.channels = true
	_, names, err = p.group([]int{3, 1, 2})
	require.NoError(t, err)
	assert.Equal(t, []string{"conv[0]", "conv[1]", "conv[2]"}, names)
	_, _, err = p.group([]int{7})
	assert.ErrorContains(t, err, "single neurons only")
}
