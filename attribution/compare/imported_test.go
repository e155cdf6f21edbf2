package compare

import (
	"bytes"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
	"github.com/line-ood/goline/internal/npyz"
)

// importFile writes the arrays of a file of estimates, some of them replaced (or, where a replacement has no data, left
// out).
func importFile(t testing.TB, replaced ...npyz.Named) string {
	t.Helper()
	arrays := []npyz.Named{
		{Name: "estimator", Array: npyz.Scalar("peer-1")},
		{Name: "games", Array: npyz.New([]string{"a", "a", "b"})},
		{Name: "budgets", Array: npyz.New([]int64{10, 40, 10})},
		{Name: "evaluations", Array: npyz.New([]int64{9, 38, 10})},
		{Name: "seconds", Array: npyz.New([]float64{0.5, 2, 0.25})},
		{Name: "ends", Array: npyz.New([]float64{1, 7, 1, 7, 0, 3}, 3, 2)},
		{Name: "values", Array: npyz.New([]float64{2, 4, 2, 3, 1, 1}, 3, 2)},
	}
	for _, r := range replaced {
		at := -1
		for i := range arrays {
			if arrays[i].Name == r.Name {
				at = i
			}
		}
		switch {
		case at < 0:
			arrays = append(arrays, r)
		case r.Data == nil:
			arrays = append(arrays[:at], arrays[at+1:]...)
		default:
			arrays[at] = r
		}
	}
	path := filepath.Join(t.TempDir(), "values.npz")
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored, arrays...))
	return path
}

// additive is the game of two players that are worth x and y, with v(∅) = empty.
func additive(t testing.TB, empty, x, y float64) Subject {
	t.Helper()
	g := tableOf(t, empty, empty+x, empty+y, empty+x+y)
	return Subject{Game: g, Truth: Truth{Values: []float64{x, y}}}
}

func TestImportedEstimatesStandInTheStudysTables(t *testing.T) {
	stdErr := npyz.Named{Name: "std_err", Array: npyz.New([]float64{0, 0, 0.1, 2, math.NaN(), 0.1}, 3, 2)}
	m, err := ReadImported(importFile(t, stdErr))
	require.NoError(t, err)
	assert.Equal(t, 3, m.Rows())
	a, b := additive(t, 1, 2, 4), additive(t, 0, 2, 1)
	a.Name, b.Name = "a", "b"
	c, err := Compare(background, Study{Subjects: []Subject{a, b},
		Estimators: []attribution.Estimator{estimate.Exact{}}, Budgets: []float64{10, 40},
		Seeds: []uint64{1}, K: 1, Imported: []*Imported{m}})
	require.NoError(t, err)
	var runs []Run
	for _, r := range c.Runs {
		if r.Estimator == "peer-1" {
			runs = append(runs, r)
		}
	}
	require.Len(t, runs, 4)
	assert.Equal(t, 0.0, runs[0].Scores[MSE])
	assert.Equal(t, 1.0, runs[0].Scores[IntervalCoverage])
	assert.Equal(t, 9.0, runs[0].Equivalents)
	assert.Equal(t, 0.5, runs[0].Seconds)
	assert.Equal(t, 0.5, runs[1].Scores[MSE], "1, 1 instead of 2, 1")
	assert.Equal(t, 1.0, runs[1].Scores[Efficiency])
	assert.Equal(t, 1.0, runs[1].Scores[IntervalCoverage], "the player without a standard error does not count")
	assert.Equal(t, 0.5, runs[2].Scores[MSE], "2, 3 instead of 2, 4")
	assert.Equal(t, 1.0, runs[2].Scores[IntervalCoverage], "1.96 × 2 holds an error of 1")
	assert.Contains(t, runs[3].Skipped, "has no estimate of this game and budget")
	assert.True(t, math.IsNaN(runs[3].Scores[MSE]))

	var out bytes.Buffer
	require.NoError(t, c.WriteCells(&out))
	lines, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 5)
	assert.Equal(t, []string{"peer-1", "10", "2", "0", "9.5", "0.375", "0.25"}, lines[3][:7])
	assert.Equal(t, []string{"peer-1", "40", "1", "1", "38", "2", "0.5"}, lines[4][:7])
	require.NotNil(t, m.Estimates("a", 40, 2))
	assert.Equal(t, 76.0, m.Estimates("a", 40, 2)[0].Equivalents, "38 values of two forward passes")
}

func TestImportedEstimatesOfOtherGames(t *testing.T) {
	study := func(change func(*Study), replaced ...npyz.Named) error {
		m, err := ReadImported(importFile(t, replaced...))
		require.NoError(t, err)
		a := additive(t, 1, 2, 4)
		a.Name = "a"
		s := Study{Subjects: []Subject{a}, Estimators: []attribution.Estimator{estimate.Exact{}},
			Budgets: []float64{10}, Seeds: []uint64{1}, K: 1, Imported: []*Imported{m}}
		change(&s)
		_, err = Compare(background, s)
		return err
	}
	none := func(*Study) {}
	require.NoError(t, study(none))
	other := npyz.Named{Name: "ends", Array: npyz.New([]float64{1, 7.1, 1, 7, 0, 3}, 3, 2)}
	assert.ErrorContains(t, study(none, other),
		`array "ends": another game "a" was played: expected v(∅) = 1 and v(N) = 7, got 1 and 7.1`)
	three := npyz.Named{Name: "values", Array: npyz.New(make([]float64, 9), 3, 3)}
	assert.ErrorContains(t, study(none, three),
		`array "values": expected shape [3, 2] for the players of game "a", got [3, 3]`)
	assert.ErrorContains(t, study(func(s *Study) { s.Budgets = []float64{20} }),
		`expected estimates of the study's games ("a", ...) with budgets [20], got 3`)
	assert.ErrorContains(t, study(none, npyz.Named{Name: "estimator", Array: npyz.Scalar("exact")}),
		`another estimator is named "exact" too`)
}

func TestImportedFilesThatAreWrong(t *testing.T) {
	for _, c := range []struct {
		array npyz.Named
		want  string
	}{
		{npyz.Named{Name: "estimator"}, "estimator"},
		{npyz.Named{Name: "estimator", Array: npyz.Scalar("../up")}, `array "estimator": expected up to 64 letters`},
		{npyz.Named{Name: "games", Array: npyz.New([]string{})}, `array "games": expected at least one row`},
		{npyz.Named{Name: "games", Array: npyz.New([]string{"a", "b"})}, "budgets"},
		{npyz.Named{Name: "games", Array: npyz.New([]string{"a", "b", "b"})}, ""},
		{npyz.Named{Name: "budgets", Array: npyz.New([]float64{10, 10, 10})},
			`rows 0 and 1 are both of game "a", budget 10 and seed 0`},
		{npyz.Named{Name: "seeds", Array: npyz.New([]int64{1, -1, 1})},
			`array "seeds", row 1: expected at least 0, got -1`},
		{npyz.Named{Name: "budgets", Array: npyz.New([]float64{10, 0, 10})},
			`array "budgets", row 1: expected numbers of at least`},
		{npyz.Named{Name: "evaluations", Array: npyz.New([]float64{1, 2.5, 3})}, "evaluations"},
		{npyz.Named{Name: "seconds", Array: npyz.New([]float64{1, 2, -3})}, `array "seconds", row 2`},
		{npyz.Named{Name: "ends", Array: npyz.New([]float64{1, 2, 3})}, "ends"},
		{npyz.Named{Name: "values", Array: npyz.New([]float64{1, 2, 3, 4, math.NaN(), 6}, 3, 2)},
			`array "values", row 2: expected finite numbers, got NaN`},
		{npyz.Named{Name: "values", Array: npyz.New([]float64{}, 3, 0)},
			`array "values": expected at least one player, got shape [3, 0]`},
		{npyz.Named{Name: "values", Array: npyz.New([]string{"x", "y", "z"}, 3, 1)}, "values"},
		{npyz.Named{Name: "std_err", Array: npyz.New([]float64{1, 2, 3}, 3, 1)}, "std_err"},
		{npyz.Named{Name: "std_err", Array: npyz.New([]float64{1, 2, 3, -1, 0, 0}, 3, 2)},
			`array "std_err" [1, 1]: expected at least 0, got -1`},
	} {
		path := importFile(t, c.array)
		_, err := ReadImported(path)
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
		assert.ErrorContains(t, err, path, "the file is named")
	}
	_, err := ReadImported(filepath.Join(t.TempDir(), "no.npz"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// FuzzReadImported: no file makes reading panic.
func FuzzReadImported(f *testing.F) {
	content, err := os.ReadFile(importFile(f))
	require.NoError(f, err)
	f.Add(content)
	f.Add(content[:len(content)/2])
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "f.npz")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		if m, err := ReadImported(path); err == nil {
			require.Positive(t, m.Rows())
			require.NotEmpty(t, m.Estimator)
		}
	})
}
