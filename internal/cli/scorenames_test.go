package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/line"
)

// TestScoresNameClasses: files of scores hold class names where these are known.
func TestScoresNameClasses(t *testing.T) {
	dot := dataset.Image{Pix: []uint8{1, 2, 3}, Height: 1, Width: 1}
	set, err := dataset.FromImages("x", []dataset.Image{dot, dot}, []int{1, -1}, nil)
	require.NoError(t, err)
	s := &scored{set: dataset.WithHashes(set), Scores: &line.Scores{Label: []int{1, -1}}}
	s.nameBy([]dataset.Class{{ID: "n1", Name: "tench"}, {ID: "n2", Name: "hen"}})
	rows := []scoredImage{
		s.row(0, line.Sample{Score: 1.5, Prediction: 0, Label: s.Label[0]}),
		s.row(1, line.Sample{Score: 2, Prediction: 2, Label: s.Label[1]}),
	}
	var out bytes.Buffer
	require.NoError(t, writeScores(&out, newCSV, sheet{names: s.names}, rows))
	require.Equal(t, "id,score,prediction,label,ood,prediction_name,label_name\nx#0,1.5,0,1,,tench,hen\nx#1,2,2,,,,\n",
		out.String())
	out.Reset()
	require.NoError(t, writeScores(&out, newJSONL, sheet{names: s.names}, rows))
	require.Equal(t, `{"id":"x#0","score":1.5,"prediction":0,"label":1,"ood":null,"prediction_name":"tench","label_name":"hen"}
{"id":"x#1","score":2,"prediction":2,"label":null,"ood":null}
`, out.String())
	out.Reset()
	require.NoError(t, writeScores(&out, newScoreNpz, sheet{names: s.names}, rows))
	z, err := npyz.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()), "scores")
	require.NoError(t, err)
	require.True(t, z.Has("class_names"))

	// Folders named after classes of the network, and after other things.
	for folder, want := range map[string][]int{"n2": {1, -1}, "banded": {-1, -1}} {
		set, err := dataset.FromImages("x", []dataset.Image{dot, dot}, []int{0, -1}, []string{folder})
		require.NoError(t, err)
		s.set = dataset.WithHashes(set)
		s.Label = []int{0, -1}
		s.nameBy([]dataset.Class{{ID: "n1", Name: "tench"}, {ID: "n2", Name: "hen"}})
		require.Equal(t, want, s.Label, folder)
	}
}
