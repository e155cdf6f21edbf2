package interactions

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/peertest"
)

// exactInteractions is a Python program that prints the exact values that shapiq finds for a game given on standard
// input.
const exactInteractions = `
import json, sys, itertools
import numpy as np, shapiq
v = np.array(json.load(sys.stdin)); n = len(v).bit_length() - 1
class Table(shapiq.Game):
    def __init__(self): super().__init__(n_players=n, normalize=False)
    def value_function(self, s): return v[(s.astype(int) << np.arange(n)).sum(1)]
computer = shapiq.ExactComputer(Table(), n)
out = {}
for ours, theirs in (("sii", "SII"), ("k-sii", "k-SII"), ("banzhaf", "BII")):
    found = computer(theirs, order=2)
    out[ours] = {"singles": [float(found[(i,)]) for i in range(n)], "pairs": [float(found[p]) for p in itertools.combinations(range(n), 2)]}
json.dump(out, sys.stdout)
`

// The indices are those that shapiq, a Python package, computes.
func TestExactIsWhatShapiqComputes(t *testing.T) {
	python := peertest.Python(t, "shapiq")
	g := randomTable(t, 7, 12)
	all := attribution.NewCoalitions(7, 128)
	v := make([]float64, 128)
	for s := range v {
		all.Row(s)[0] = uint64(s)
	}
	require.NoError(t, g.Values(background, all, v))
	in, err := json.Marshal(v)
	require.NoError(t, err)
	cmd := exec.Command(python, "-c", exactInteractions)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	require.NoError(t, err)
	var theirs map[string]struct{ Singles, Pairs []float64 }
	require.NoError(t, json.Unmarshal(out, &theirs))
	for _, x := range indices {
		ours, err := Exact{x}.Estimate(background, g, attribution.Options{})
		require.NoError(t, err)
		require.InDeltaSlice(t, theirs[x.String()].Singles, ours.Singles, 1e-10, "%v", x)
		require.InDeltaSlice(t, theirs[x.String()].Pairs, ours.Pairs, 1e-10, "%v", x)
	}
}
