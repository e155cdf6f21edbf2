package attribute

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/cli/command"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

const worldClasses = 3

// world is a folder with a network of three classes in net.npz, and labelled images in train.npz and test.npz.
type world struct {
	dir string
	net command.Network
}

func newWorld(t testing.TB) world {
	t.Helper()
	w := world{dir: t.TempDir()}
	w.net = command.Network{Name: "densenet-bc-10-14", Weights: w.path("net.npz")}
	sd, err := weights.FromParams(nettest.DenseNetBC(t, 10, 14, worldClasses, 2).Params())
	require.NoError(t, err)
	require.NoError(t, weights.Save(w.net.Weights, sd))
	for name, n := range map[string]int{"train.npz": 18, "test.npz": 12} {
		rng := rand.New(rand.NewPCG(uint64(n), 5))
		pix, labels := make([]uint8, n*32*32*3), make([]int64, n)
		for i := range pix {
			pix[i] = uint8(80 + rng.IntN(140))
		}
		for i := range labels {
			labels[i] = int64(i % worldClasses)
		}
		require.NoError(t, npyz.WriteNpz(w.path(name), npyz.Stored,
			npyz.Named{Name: "images", Array: npyz.New(pix, n, 32, 32, 3)},
			npyz.Named{Name: "labels", Array: npyz.New(labels)}))
	}
	return w
}

func (w world) path(name string) string { return filepath.Join(w.dir, name) }

// open returns the network, and the images in train.npz.
func (w world) open(t testing.TB) (nets.Classifier, dataset.Dataset) {
	t.Helper()
	net, err := w.net.Open()
	require.NoError(t, err)
	set, err := dataset.Open(w.path("train.npz"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, set.Close()) })
	return net, set
}

// stageFor opens what the flags name, as the commands do it.
func (w world) stageFor(t testing.TB, g gameFlags) *stage {
	t.Helper()
	g.net = w.net
	g.data, g.fit, g.layer = w.path("test.npz"), w.path("train.npz"), nets.Features
	p, err := g.check(true)
	require.NoError(t, err)
	s, err := newStage(&command.Common{Batch: 2, Workers: 2, Seed: 3, Device: "cpu", Progress: "never"}, p)
	require.NoError(t, err)
	return s
}

// valuesOf returns the values of the empty coalition, of the grand coalition and of a few in between.
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

// TestAttributeTwoWaysToPlay: games on the penultimate neurons have the same values through the graph as by their
// closed form, for every value, removal, scope and kind of players.
func TestAttributeTwoWaysToPlay(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	net, set := w.open(t)
	prog, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	det, err := line.Fit(ctx, prog, eval.Images(ctx, "fit", set, net.Preprocessing(), eval.Options{}),
		// unclipped, so that both ways predict the same class
		line.Options{ActivationPercentile: line.Percent(50), WeightPercentile: line.Percent(50), Clip: 1e6})
	require.NoError(t, err)
	require.NoError(t, det.Save(w.path("det.npz")))
	for _, value := range []string{"logit", "probability", "log-probability", "log-sum-exp", "margin", "line"} {
		for _, removal := range []string{"zero", "mean", "class-mean", "resample"} {
			for _, scope := range []string{"sample", "class"} {
				for _, groups := range []int{0, 4} {
					s := w.stageFor(t, gameFlags{value: value, removal: removal, scope: scope, groups: groups,
						detector: w.path("det.npz"), background: 3, images: 5})
					closed, err := s.play(ctx, s.featureSubjects)
					require.NoError(t, err)
					through, err := s.play(ctx, s.layerSubjects)
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

// TestAttributeRemovals: the value of the empty coalition is the value of the rows that replace removed neurons.
func TestAttributeRemovals(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	net, set := w.open(t)
	x, err := eval.NewExtractor(net, eval.Options{})
	require.NoError(t, err)
	train, err := x.Samples(ctx, "train", set)
	require.NoError(t, err)
	// The logit is linear, so the logit of a mean of rows is the mean of their logits.
	const class = 1
	of := func(keep func(i int) bool) float64 {
		total, n := 0.0, 0.0
		for i := range train.Labels {
			if keep(i) {
				total += float64(train.Logits[i*worldClasses+class])
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
		"class-mean": of(func(i int) bool { return train.Labels[i] == class }),
		"resample":   of(func(i int) bool { return background[i] }),
	} {
		s := w.stageFor(t, gameFlags{value: "logit", removal: removal, scope: "sample", target: "1", background: 4,
			images: 2})
		for _, way := range []func(context.Context, images) ([]subject, error){s.featureSubjects, s.layerSubjects} {
			subjects, err := s.play(ctx, way)
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
