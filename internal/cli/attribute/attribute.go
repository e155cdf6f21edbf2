// Package attribute is the command goline attribute: the contributions of neurons, and how well they can be estimated.
// Package cli imports it; it imports none but package command of the commands.
package attribute

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/internal/cli/command"
)

// New returns the command with its subcommands.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "attribute",
		Short: "Estimate what neurons contribute, and compare the ways of estimating it",
		Long: `Shapley values of the neurons of a layer: what each contributes to a logit, a probability, a log-sum-exp or the LINe score.

  values        estimate them for images or classes
  interactions  what pairs of neurons do together
  curves        what becomes of the value as neurons come and go in the order of estimates
  compare       error against cost of several estimators
  downstream    what the choice of estimator and value does to the LINe detector
  play          serve the games to another program`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newValues(), newInteractions(), newCurves(), newCompare(), newDownstream(), newPlay())
	return cmd
}

// intervalLevel is the level of all confidence intervals and bootstrap bands that are written.
const intervalLevel = 0.95

// figure formats a number for people with four digits, or as a whole number if it is large.
func figure(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case size >= 1000 && size < 1e9:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// exactly formats a number for files with the fewest digits that read back as the same number. NaN and infinities
// become "".
func exactly(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// jsonNumber is a number in JSON: NaN and ±Inf, which JSON does not have, become null.
type jsonNumber float64

func (n jsonNumber) MarshalJSON() ([]byte, error) {
	if s := exactly(float64(n)); s != "" {
		return []byte(s), nil
	}
	return []byte("null"), nil
}

// numberList is the value of a flag that takes numbers separated by commas.
type numberList []float64

func (l *numberList) String() string {
	text := make([]string, len(*l))
	for i, v := range *l {
		text[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(text, ",")
}

// Set replaces the list, so that a default value does not remain in it.
func (l *numberList) Set(text string) error {
	*l = nil
	for _, word := range strings.Split(text, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", word)
		}
		*l = append(*l, v)
	}
	return nil
}

func (l *numberList) Type() string { return "numbers" }
