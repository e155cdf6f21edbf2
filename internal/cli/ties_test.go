package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/nettest"
)

// TestTiesAreMarked: a detector that gives every image the same score has, by the published definition, an FPR95 of 0.
// Table, JSON, CSV and report also show the rate with ties shared, and do not mark the detector as the best.
func TestTiesAreMarked(t *testing.T) {
	w := newWorld(t)
	net := nettest.DenseNetBC(t, 10, 4, worldClasses, 2)
	for _, p := range net.Params() {
		if strings.HasPrefix(p.Name, "fc.") {
			clear(p.Float32s())
		}
	}
	w.writeNet(t, "net.npz", net)
	args := []string{"--methods", "line,msp", "--json", w.path("o.json"), "--csv", w.path("o.csv"), "--report",
		w.path("o.html"), "--latex", w.path("o.tex")}
	out := must(t, w.eval(args...)...)
	require.Contains(t, out, "0.00 [84.62] / 50.00")
	require.Contains(t, out, "in brackets FPR95 with ties shared, where samples tie at its threshold")
	var file struct {
		Methods map[string]struct {
			OOD map[string]struct {
				FPR95 float64  `json:"fpr95"`
				Tied  *float64 `json:"fpr95_tie_aware"`
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(contents(t, w.path("o.json"))), &file))
	for name, m := range file.Methods {
		for set, o := range m.OOD {
			require.Zero(t, o.FPR95, "%s %s", name, set)
			require.NotNil(t, o.Tied)
			require.InDelta(t, 100*11.0/13, *o.Tied, 1e-9)
		}
	}
	require.Contains(t, strings.SplitN(contents(t, w.path("o.csv")), "\n", 2)[0], ",fpr95_tie_aware,")
	require.Contains(t, contents(t, w.path("o.html")), "In brackets: FPR95 with ties shared")
	require.Contains(t, contents(t, w.path("o.tex")), "0.00 [84.62]")

	w = newWorld(t)
	require.NotContains(t, must(t, w.eval("--methods", "msp", "--json", w.path("o.json"))...), "ties")
	require.NotContains(t, contents(t, w.path("o.json")), "tie_aware")
}
