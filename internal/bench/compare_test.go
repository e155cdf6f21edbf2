package bench_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/bench"
)

func TestPrintChange(t *testing.T) {
	before := bench.Result{Net: "a", Kernels: "avx2", Precision: "f32", ImagesPerSec: 200,
		Runs: []float64{190, 200, 210}, BytesPerImage: 10, Workers: 2}
	for want, runs := range map[string][]float64{
		"faster: every run": {211, 300, 310}, "slower: every run": {100, 150, 189.5},
		"no clear change": {200, 220, 240},
	} {
		after := before
		after.Runs, after.ImagesPerSec, after.Precision = runs, runs[1], "bf16"
		require.NoError(t, bench.Comparable(before, after))
		var out strings.Builder
		require.NoError(t, bench.PrintChange(&out, before, after))
		require.Contains(t, out.String(), want)
		require.Contains(t, out.String(), "bf16")
		require.NotContains(t, out.String(), "workers")
		if runs[1] == 300 {
			require.Contains(t, out.String(), "+50.0 %")
		}
	}
	require.ErrorContains(t, bench.Comparable(before, bench.Result{Net: "b"}), "expected network b, got a")
	require.ErrorContains(t, bench.Comparable(bench.Result{Net: "a"}, before),
		"expected a file of goline bench --json, got one without runs")
	singly := before
	singly.Latency = &bench.Latency{Images: 3, P50: 1, P99: 2}
	require.ErrorContains(t, bench.Comparable(before, singly), "--latency")
	require.ErrorContains(t, bench.Comparable(singly, before), "--latency")
	slower := singly
	slower.Latency = &bench.Latency{Images: 3, P50: 1.5, P99: 2}
	require.NoError(t, bench.Comparable(singly, slower))
	var out strings.Builder
	require.NoError(t, bench.PrintChange(&out, singly, slower))
	require.Regexp(t, `p50, ms +│ 1\.000 +│ 1\.500 +│ \+50\.0 %`, out.String())
}
