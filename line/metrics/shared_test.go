package metrics_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/sharedtest"
)

type reference struct {
	Table map[string]map[string]struct{ FPR95, AUROC float64 }
}

var referenceSets = []string{"cifar100", "textures10", "sun8", "scenes", "tin_resize", "tin_crop", "mnist"}

// TestReferenceTable compares with the table of a trained DenseNet, to every printed digit, from the scores behind
// the table.
func TestReferenceTable(t *testing.T) {
	archive, table := loadReference(t)
	for _, method := range []string{"line_pw90_pa90_clip1", "energy", "msp"} {
		id := scores(t, archive, method, "cifar10_test")
		var fpr95, auroc float64
		for _, set := range referenceSets {
			m := evaluate(t, id, scores(t, archive, method, set))
			want := table[method][set]
			assert.Equal(t, fmt.Sprintf("%.1f", want.FPR95), fmt.Sprintf("%.1f", 100*m.FPR95), "%s %s", method, set)
			fpr95 += 100 * m.FPR95
			auroc += 100 * m.AUROC
			if method != "msp" { // see TestReferenceMSP
				assert.Equal(t, fmt.Sprintf("%.3f", want.AUROC), fmt.Sprintf("%.3f", 100*m.AUROC), "%s %s", method, set)
			}
		}
		want, n := table[method]["average"], float64(len(referenceSets))
		assert.Equal(t, fmt.Sprintf("%.3f", want.FPR95), fmt.Sprintf("%.3f", fpr95/n), method)
		if method != "msp" {
			assert.Equal(t, fmt.Sprintf("%.3f", want.AUROC), fmt.Sprintf("%.3f", auroc/n), method)
		}
	}
}

// The table's AUROC of msp was computed from float64 probabilities, but the file stores float32, in which 1169 of the
// 5000 ID probabilities round to exactly 1 and tie. Rounding keeps the order of scores that it does not make equal.
// The AUROC before rounding therefore lies between those with every tie counted as lost and as won. On the rounded
// scores the values are those of scikit-learn 1.9.1.
func TestReferenceMSP(t *testing.T) {
	archive, table := loadReference(t)
	id := scores(t, archive, "msp", "cifar10_test")
	for set, sklearn := range map[string]float64{
		"cifar100": 88.30022, "textures10": 88.17414, "sun8": 90.34222, "scenes": 89.74448,
		"tin_resize": 87.95022, "tin_crop": 93.16552, "mnist": 94.0902,
	} {
		ood := scores(t, archive, "msp", set)
		got := 100 * evaluate(t, id, ood).AUROC
		assert.InDelta(t, sklearn, got, 1e-9, set)
		halfOfTies := 0.0
		for _, a := range id {
			for _, b := range ood {
				if a == b {
					halfOfTies += 50
				}
			}
		}
		halfOfTies /= float64(len(id) * len(ood))
		assert.InDelta(t, table["msp"][set].AUROC, got, halfOfTies+0.0005, set)
	}
}

func loadReference(t *testing.T) (*npyz.Archive, map[string]map[string]struct{ FPR95, AUROC float64 }) {
	t.Helper()
	data, err := os.ReadFile(sharedtest.Path(t, "reference", "cifar10_densenet_reference.json"))
	require.NoError(t, err)
	var r reference
	require.NoError(t, json.Unmarshal(data, &r))
	archive, err := npyz.ReadNpz(sharedtest.Path(t, "reference", "cifar10_densenet_scores.npz"))
	require.NoError(t, err)
	return archive, r.Table
}

func scores(t *testing.T, archive *npyz.Archive, method, set string) []float64 {
	t.Helper()
	s, err := archive.Float64(method+"__"+set, -1)
	require.NoError(t, err)
	return s
}
