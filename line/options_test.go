package line_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
)

// TestZeroOptionsAreTheDefaults, wherever options are given.
func TestZeroOptionsAreTheDefaults(t *testing.T) {
	require.NoError(t, line.Options{}.Check())
	require.Equal(t, line.DefaultOptions().Params(), line.Options{}.Params())
	net := newTiny(3, 20, 1)
	train := net.batch(9, 1)
	want := fit(t, net, nettest.Stream(train), line.DefaultOptions())
	got := fit(t, net, nettest.Stream(train), line.Options{})
	require.Equal(t, line.DefaultOptions(), got.Options())
	requireSame(t, want, got)

	part := fit(t, net, nettest.Stream(train), line.Options{WeightPercentile: 10, NoClipping: true}).Options()
	require.Equal(t, line.Options{ActivationPercentile: 90, WeightPercentile: 10, NoClipping: true}, part)
	off := line.Options{NoClipping: true, NoActivationPruning: true, NoWeightPruning: true}
	require.Equal(t, off, fit(t, net, nettest.Stream(train), off).Options(), "what is off needs no parameter")
}

// TestPercentZero: Percent(0) is neither the default nor "off". Reports and files show 0, which is read back as
// Percent(0).
func TestPercentZero(t *testing.T) {
	require.Equal(t, 12.5, line.Percent(12.5))
	require.Equal(t, -1.0, line.Percent(-1), "mistakes stay mistakes")
	require.Error(t, line.Options{ActivationPercentile: line.Percent(-1)}.Check())

	o := line.Options{ActivationPercentile: line.Percent(0), WeightPercentile: line.Percent(0), Clip: 1}
	require.Equal(t, map[string]any{"p_a": 0.0, "p_w": 0.0, "clip": 1.0}, o.Params())
	net := newTiny(3, 20, 1)
	det := fit(t, net, nettest.Stream(net.batch(9, 1)), o)
	require.Equal(t, o, det.Options())
	for k := range 3 {
		require.Equal(t, 19, kept(det.ActiveNeurons(k)), "all but the least")
		require.Equal(t, 59, kept(det.ActiveWeights(k)), "all but the least")
	}
	path := filepath.Join(t.TempDir(), "det.npz")
	require.NoError(t, det.Save(path))
	a, err := npyz.ReadNpz(path)
	require.NoError(t, err)
	for _, name := range []string{"p_a", "p_w"} {
		v, err := a.Float64(name)
		require.NoError(t, err)
		require.Equal(t, []float64{0}, v)
	}
	got, err := line.LoadFor(path, net)
	require.NoError(t, err)
	requireSame(t, det, got)
}
