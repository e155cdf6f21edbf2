package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/posthoc"
)

func TestMethods(t *testing.T) {
	out := must(t, "methods")
	for _, k := range posthoc.Kinds() {
		assert.Contains(t, out, k.Name+": "+k.Doc+"\n  "+k.Source+"; fitted on ")
		assert.NotEmpty(t, k.Doc, k.Name)
		assert.NotEmpty(t, k.Source, k.Name)
	}
	assert.Contains(t, out, "  dice.p = 90 in [0, 100] {10, 30, 50, 70, 90}: ")
	assert.Contains(t, out, "  energy.temperature = 1 in (0, ∞) {1, 10, 100, 1000}: ")
	assert.Contains(t, must(t, "methods", "react+dice"), "  react+dice.dice.p = 90 in ")

	var all []struct {
		Name   string
		Params []struct {
			Name     string
			Default  float64
			Min, Max *float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(must(t, "methods", "--json")), &all))
	require.Len(t, all, len(posthoc.Kinds()))
	for want, args := range map[string][]string{
		"method: expected one of " + strings.Join(posthoc.Names(), ", ") + `, got "nose"`: {"methods", "nose"},
		"expected one method, got 2": {"methods", "msp", "energy"},
	} {
		code, _, stderr := runGoline(args...)
		assert.Equal(t, exitUsage, code)
		assert.Contains(t, stderr, want)
	}
}
