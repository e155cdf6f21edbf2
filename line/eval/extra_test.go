package eval_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/probe"
	"github.com/line-ood/goline/nets"
)

// TestEveryNeedIsServed: the package that computes extra values knows every name that a method needs.
func TestEveryNeedIsServed(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, classes, 2)
	for _, name := range posthoc.Names() {
		m, err := posthoc.New(name, posthoc.Options{})
		require.NoError(t, err)
		assert.NoError(t, probe.Check(net, eval.Needs(m)), name)
	}
}

// TestExtend: methods that need more than features and logits score pictures, also from a folder of kept values, with
// the same result for any batch size.
func TestExtend(t *testing.T) {
	dir := t.TempDir()
	m, err := posthoc.New("odin", posthoc.Options{})
	require.NoError(t, err)
	davis, err := posthoc.New("davis", posthoc.Options{})
	require.NoError(t, err)
	needs := eval.Needs(m, davis)
	require.Equal(t, []string{"map.std", "odin.logits(T=1000,eps=0.0014)"}, needs)
	set := newSet("s", 7, 1, true)
	var want posthoc.Samples
	for i, o := range []graph.Options{{}, {Batch: 2, Workers: 3}} {
		x := extractor(t, eval.Options{Graph: o})
		if i > 0 {
			x.Dir, x.Weights = dir, "w"
		}
		s, err := x.Samples(t.Context(), "s", set)
		require.NoError(t, err)
		require.NoError(t, x.Extend(t.Context(), "s", set, &s, needs))
		require.NoError(t, s.Validate())
		if i == 0 {
			want = s
		}
		require.Equal(t, want, s)
	}
	scores := make([]float64, 7)
	require.NoError(t, m.Score(t.Context(), want, scores))
	require.NoError(t, davis.Fit(t.Context(), head(t), want))
	require.NoError(t, davis.Score(t.Context(), want, scores))

	ran := false
	x := extractor(t, eval.Options{Progress: func(stage string, done, total int) {
		ran = ran || stage == "s: input gradients and feature maps"
	}})
	x.Dir, x.Weights = dir, "w"
	s := posthoc.Samples{N: 7}
	require.NoError(t, x.Extend(t.Context(), "s", set, &s, needs))
	require.Equal(t, want.Extra, s.Extra)
	require.False(t, ran, "kept values are not computed again")
	require.NoError(t, x.Extend(t.Context(), "s", newSet("s", 7, 2, true), &s, needs))
	require.NotEqual(t, want.Extra, s.Extra, "other pictures")
	require.True(t, ran)

	files, err := filepath.Glob(filepath.Join(dir, "s_*.npz"))
	require.NoError(t, err)
	require.Len(t, files, 2)
	require.NoError(t, os.WriteFile(files[0], []byte("broken"), 0o666))
	require.ErrorContains(t, x.Extend(t.Context(), "s", set, &s, needs), "delete the file to compute them again")
	require.ErrorContains(t, x.Extend(t.Context(), "s", set, &s, []string{"nose"}), `"nose" is not known`)
}

func head(t testing.TB) posthoc.Head {
	t.Helper()
	return nets.HeadOf(nettest.DenseNetBC(t, 10, 4, classes, 2))
}
