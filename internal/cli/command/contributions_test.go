package command

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzContributions: any file is either refused with an error that names it, or gives a value for each class and
// neuron.
func FuzzContributions(f *testing.F) {
	const head = `{"setting":{"scope":"class","layer":"features","players":"neurons","value":"logit",` +
		`"removal":"zero"},"estimates":[`
	for _, text := range []string{
		"", "{}", "[]", head, head + "]}",
		head + `{"label":0,"estimate":{"method":"m","values":[1,2]}},{"label":1,"estimate":{"method":"m","values":[3,` +
			`4]}}]}`,
		head + `{"label":0,"estimate":{"values":[1,null]}},{"label":-1,"estimate":{"values":[1e999,4]}}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := Contributions{File: "v.json"}
		if err := c.parse(text); err != nil {
			require.ErrorContains(t, err, "v.json")
			return
		}
		mean, _, err := c.parsed.values(2, 2)
		if err == nil {
			require.Len(t, mean, 4)
		}
	})
}
