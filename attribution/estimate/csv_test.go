package estimate

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/games"
)

func TestEstimateAsCSVAndJSON(t *testing.T) {
	net := randomNetwork(3, 2, 1)
	g := net.game(t, games.PenultimateOptions{Value: attribution.Probability, Names: []string{"left, eye", "right"}})
	est, err := Permutation{}.Estimate(background, g, attribution.Options{Samples: 1})
	require.NoError(t, err)
	assert.Equal(t, []string{"left, eye", "right"}, est.Names)
	var buffer bytes.Buffer
	require.NoError(t, est.WriteCSV(&buffer, 0.95))
	lines, err := csv.NewReader(&buffer).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, []string{"player", "name", "value", "std_err", "lo", "hi"}, lines[0])
	assert.Equal(t, "left, eye", lines[1][1])
	assert.Empty(t, lines[1][3], "one sample has no standard error")
	data, err := json.Marshal(est)
	require.NoError(t, err)
	assert.Contains(t, string(data), `"std_err":[null,null]`)
	assert.Contains(t, string(data), `"method":"permutation"`)
}
