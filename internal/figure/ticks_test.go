package figure_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/internal/figure"
)

func labels(ticks []plot.Tick) string {
	var out []string
	for _, t := range ticks {
		if t.Label != "" {
			out = append(out, t.Label)
		}
	}
	return strings.Join(out, " ")
}

func TestLinearTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		most      int
		want      string
	}{
		{0, 100, 0, "0 20 40 60 80 100"},
		{0, 25, 4, "0 10 20"},
		{0, 1, 0, "0 0.2 0.4 0.6 0.8 1.0"},
		{-0.3, 0.3, 4, "-0.2 0 0.2"},
		{0.1, 0.3, 3, "0.1 0.2 0.3"}, // adding up 0.1 would give 0.30000000000000004
		{17.3, 31.9, 4, "20 25 30"},
		{0, 3e-14, 4, "0 1e-14 2e-14 3e-14"},
		{0, 4e6, 0, "0 1e6 2e6 3e6 4e6"},
		{1e5, 1.3e5, 4, "100000 110000 120000 130000"},
		{2, 2, 0, "2"},
	} {
		require.Equal(t, c.want, labels(figure.LinearTicks{Most: c.most}.Ticks(c.low, c.high)))
	}
}

func TestLinearTicksAreHonest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-1e6, 1e6).Draw(t, "low")
		width := math.Pow(10, rapid.Float64Range(-2, 9).Draw(t, "width"))
		most := rapid.IntRange(3, 9).Draw(t, "most")
		ticks := figure.LinearTicks{Most: most}.Ticks(low, low+width)
		require.NotEmpty(t, ticks)
		require.LessOrEqual(t, len(ticks), most)
		for i, tick := range ticks {
			require.InDelta(t, low+width/2, tick.Value, width*(0.5+1e-6))
			shown, err := strconv.ParseFloat(tick.Label, 64)
			require.NoError(t, err)
			require.Equal(t, tick.Value, shown, "a label says exactly where its mark is")
			if i > 0 {
				require.Greater(t, tick.Value, ticks[i-1].Value)
			}
		}
	})
}

func TestLogTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{1e-14, 1e-12, "1e-14 1e-13 1e-12"},
		{0.01, 1000, "0.01 0.1 1 10 100 1000"},
		{3, 40, "5 10 20"},
		{1e-30, 1, "1e-30 1e-25 1e-20 1e-15 1e-10 1e-5 1"},
		{1e5, 1e8, "100000 1e6 1e7 1e8"},
	} {
		require.Equal(t, c.want, labels(figure.LogTicks{}.Ticks(c.low, c.high)))
	}
	require.Panics(t, func() { figure.LogTicks{}.Ticks(0, 1) })
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 25: "25", -0.5: "-0.5", 1e-14: "1e-14", 3.5e8: "3.5e8",
		1.0000000000000002e-14: "1.0000000000000002e-14"} {
		require.Equal(t, want, figure.Number(v))
	}
	require.Equal(t, "NaN", figure.Number(math.NaN()))
	require.Equal(t, "+Inf", figure.Number(math.Inf(1)))
}
