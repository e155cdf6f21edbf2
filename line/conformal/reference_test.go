package conformal_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/conformal"
)

// reference is the content of the file that testdata/make_reference.py writes.
type reference struct {
	Streams map[string][]float64 `json:"streams"`
	Online  []struct {
		Procedure conformal.Procedure `json:"procedure"`
		Stream    string              `json:"stream"`
		By        string              `json:"by"`
		Levels    []float64           `json:"levels"`
		Reject    []bool              `json:"reject"`
	} `json:"online"`
	Batch []struct {
		Procedure string  `json:"procedure"`
		Stream    string  `json:"stream"`
		By        string  `json:"by"`
		Alpha     float64 `json:"alpha"`
		Lambda    float64 `json:"lambda"`
		Reject    []bool  `json:"reject"`
	} `json:"batch"`
	Levels []struct {
		Adjustment string    `json:"adjustment"`
		N          int       `json:"n"`
		Delta      float64   `json:"delta"`
		Levels     []float64 `json:"levels"`
	} `json:"levels"`
	Beta []struct {
		Q float64 `json:"q"`
		A int     `json:"a"`
		B int     `json:"b"`
		X float64 `json:"x"`
	} `json:"beta"`
	Martingales []struct {
		Betting conformal.Betting `json:"betting"`
		Stream  string            `json:"stream"`
		Log     []float64         `json:"log"`
	} `json:"martingales"`
}

func load(t testing.TB) reference {
	t.Helper()
	data, err := os.ReadFile("testdata/reference.json")
	require.NoError(t, err)
	var r reference
	require.NoError(t, json.Unmarshal(data, &r))
	return r
}

// near compares with a reference number that is given with eleven digits.
func near(t testing.TB, want, got float64, what ...any) {
	t.Helper()
	require.InDelta(t, want, got, 1e-10*max(1, math.Abs(want)), what...)
}

// TestOnlineAsOthers compares levels and decisions with those of R's onlineFDR and Python's online-fdr.
func TestOnlineAsOthers(t *testing.T) {
	r := load(t)
	for _, want := range r.Online {
		o, err := conformal.NewOnline(conformal.OnlineOptions{Procedure: want.Procedure, Alpha: 0.1})
		require.NoError(t, err)
		for i, p := range r.Streams[want.Stream] {
			d, err := o.Test(p)
			require.NoError(t, err)
			require.InDelta(t, want.Levels[i], d.Level, 1e-10*want.Levels[i], "%s of %s on %s, test %d", want.Procedure,
				want.By, want.Stream, i)
			require.Equal(t, want.Reject[i], d.Reject, "%s of %s on %s, test %d", want.Procedure, want.By, want.Stream,
				i)
		}
	}
	require.GreaterOrEqual(t, len(r.Online), 6*7+6*6)
}

func TestBatchAsOthers(t *testing.T) {
	r := load(t)
	for _, want := range r.Batch {
		p := r.Streams[want.Stream]
		var got []bool
		var err error
		switch want.Procedure {
		case "bh":
			got, err = conformal.BenjaminiHochberg(p, want.Alpha)
		case "by":
			got, err = conformal.BenjaminiYekutieli(p, want.Alpha)
		case "storey":
			got, err = conformal.Storey(p, want.Alpha, want.Lambda)
		}
		require.NoError(t, err)
		require.Equal(t, want.Reject, got, "%s of %s on %s at %v", want.Procedure, want.By, want.Stream, want.Alpha)
	}
	require.NotEmpty(t, r.Batch)
}

func TestLevelsAsOthers(t *testing.T) {
	r := load(t)
	for _, want := range r.Levels {
		a, err := conformal.ParseAdjustment(want.Adjustment)
		require.NoError(t, err)
		got, err := conformal.Levels(want.N, a, want.Delta)
		require.NoError(t, err)
		require.Len(t, got, len(want.Levels))
		for i, w := range want.Levels {
			near(t, w, got[i], "%s n %d delta %v, count %d", want.Adjustment, want.N, want.Delta, i)
		}
	}
	require.NotEmpty(t, r.Levels)
}

// TestBoundAsOthers compares the bound on the realised rate with scipy's quantile of the Beta distribution.
func TestBoundAsOthers(t *testing.T) {
	for _, want := range load(t).Beta {
		got, err := conformal.Threshold{Rank: want.A, N: want.A + want.B - 1}.Bound(1 - want.Q)
		require.NoError(t, err)
		require.InDelta(t, want.X, got, 1e-9*want.X, "%+v", want)
	}
}

func TestMartingaleAsOthers(t *testing.T) {
	r := load(t)
	for _, want := range r.Martingales {
		m, err := conformal.NewMartingale(want.Betting)
		require.NoError(t, err)
		for i, p := range r.Streams[want.Stream] {
			require.NoError(t, m.Update(max(p, 1e-9)))
			near(t, want.Log[i], m.Log(), "%s on %s, step %d", want.Betting, want.Stream, i)
		}
	}
	require.NotEmpty(t, r.Martingales)
}
