package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

func newAttribute() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "attribute",
		Short: "Estimate what neurons contribute, and compare the ways of estimating it",
		Long: `Shapley values of the neurons of a layer: what each contributes to a logit, a probability, a log-sum-exp or the LINe score.

  values      estimate them for images or classes
  compare     error against cost of several estimators
  downstream  what the choice of estimator and value does to the LINe detector`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAttributeValues(), newAttributeCompare(), newAttributeDownstream())
	return cmd
}

// intervalLevel is the level of all confidence intervals and bootstrap bands that are written.
const intervalLevel = 0.95

// counter shows how far work is that is not counted in images. total 0 is not known.
func (c *common) counter(what string, total int) bar {
	if c.progress == "never" || c.progress == "auto" && !isTerminal(c.stderr) {
		return bar{}
	}
	if total == 0 {
		total = -1
	}
	return bar{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(c.stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionFullWidth(),
		progressbar.OptionClearOnFinish(),
	)}
}

// set moves the bar to a number of samples of a total, 0 where that is not known.
func (b bar) set(done, total int) {
	if b.inner == nil {
		return
	}
	if total > 0 && b.inner.GetMax() != total {
		b.inner.ChangeMax(total)
	}
	_ = b.inner.Set(done) // a terminal that cannot be written to must not stop the work
}

// newTable starts a table whose first columns are text and whose others are numbers.
func newTable(texts int, header ...string) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault // names keep their case
	row, columns := table.Row{}, []table.ColumnConfig{}
	for i, h := range header {
		row = append(row, h)
		if i >= texts {
			columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.AppendHeader(row)
	t.SetColumnConfigs(columns)
	return t
}

// figure formats a number for people in four digits, large ones as whole numbers.
func figure(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case size >= 1000 && size < 1e9:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// exactly formats a number for files in the fewest digits that read back the same, and what is no number as nothing.
func exactly(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// jsonNumber is a number in JSON: NaN and ±Inf, which JSON does not have, become null.
type jsonNumber float64

func (n jsonNumber) MarshalJSON() ([]byte, error) {
	s := exactly(float64(n))
	if s == "" {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', -1, 64), nil
}

// numberList is a flag of numbers with commas between them.
type numberList []float64

func (l *numberList) String() string {
	text := make([]string, len(*l))
	for i, v := range *l {
		text[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(text, ",")
}

// Set replaces the list, so that a default does not stay.
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
