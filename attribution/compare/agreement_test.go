package compare

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/attribution/estimate"
)

func TestAgreementOfKnownEstimates(t *testing.T) {
	same := agree([][]float64{{3, 1, -2}, {3, 1, -2}, {3, 1, -2}}, 1)
	assert.Equal(t, Agreement{Seeds: 3, Rank: 1, Top: 1, Sign: 1, Spread: 0}, same)
	a := agree([][]float64{{4, 2, 1}, {2, 4, -1}}, 1)
	assert.InDelta(t, 0.5, a.Rank, 1e-15) // ranks 3 2 1 and 2 3 1: 1 - 6·2/(3·8)
	assert.Zero(t, a.Top, "other players are the largest")
	assert.InDelta(t, 2.0/3, a.Sign, 1e-15)
	assert.InDelta(t, math.Sqrt((2.0+2+2)/(9+9+0)), a.Spread, 1e-15)
}

// More samples make the seeds of a sampling estimator agree; estimators without randomness run once and have no
// agreement.
func TestAgreementOfAStudy(t *testing.T) {
	g := randomTable(6, 2)
	truth, err := FindTruth(background, g, attribution.Options{})
	require.NoError(t, err)
	c, err := Compare(background, Study{Subjects: []Subject{{"one", g, truth}, {"two", randomTable(6, 3), truth}}, K: 2,
		Estimators: []attribution.Estimator{estimate.Permutation{}, estimate.Exact{}, estimate.TopK{K: 2}},
		Budgets:    []float64{30, 64, 3000}, Seeds: []uint64{1, 2, 3}})
	require.NoError(t, err)
	few, ok := c.MeanAgreement("permutation", 64)
	require.True(t, ok)
	many, _ := c.MeanAgreement("permutation", 3000)
	assert.Equal(t, 3, few.Seeds)
	assert.Less(t, many.Spread, few.Spread/3)
	assert.Greater(t, many.Rank, few.Rank)
	_, ok = c.MeanAgreement("exact", 3000)
	assert.False(t, ok)
	var out bytes.Buffer
	require.NoError(t, c.WriteAgreements(&out))
	assert.Equal(t, len(c.Agreements)+1, strings.Count(out.String(), "\n"))
	js, err := c.MarshalJSON()
	require.NoError(t, err)
	assert.Contains(t, string(js), `"top_k_jaccard"`)
}
