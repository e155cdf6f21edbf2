package report_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/report"
)

func TestTableText(t *testing.T) {
	got, err := example().Table(report.Text, false)
	require.NoError(t, err)
	assert.Equal(t, strings.TrimPrefix(`
┌────────┬──────────────────────────────┬───────────────┬───────────────┬───────────────┐
│ method │ parameters                   │   textures10  │     mnist     │    average    │
├────────┼──────────────────────────────┼───────────────┼───────────────┼───────────────┤
│ line   │ clip = 1, p_a = 90, p_w = 90 │ 27.40 / 95.41 │  0.40 / 99.88 │ 13.90 / 97.64 │
│ energy │ temperature = 1              │ 54.60 / 87.49 │  0.40 / 99.01 │ 27.50 / 93.25 │
└────────┴──────────────────────────────┴───────────────┴───────────────┴───────────────┘
FPR95 (lower is better) / AUROC (higher is better) in %; 5000 ID samples, accuracy 94.50 %`, "\n"), got)
}

func TestTableHighlight(t *testing.T) {
	plain, err := example().Table(report.Text, false)
	require.NoError(t, err)
	assert.NotContains(t, plain, "\x1b")
	got, err := example().Table(report.Text, true)
	require.NoError(t, err)
	assert.Equal(t, plain, strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(got), "bold changes no width")
	for best, times := range map[string]int{
		"27.40": 1, "95.41": 1, "0.40": 2 /* a tie */, "99.88": 1, "13.90": 1, "97.64": 1,
	} {
		assert.Equal(t, times, strings.Count(got, "\x1b[1m"+best+"\x1b[0m"), best)
	}
	assert.Equal(t, 7, strings.Count(got, "\x1b[1m"))
}

func TestTableBestComparesNumbers(t *testing.T) {
	r := example()
	r.Methods[0].OOD[0].Metrics.FPR95, r.Methods[1].OOD[0].Metrics.FPR95 = 0.0951, 0.1
	r.Methods[0].OOD[0].Metrics.AUROC, r.Methods[1].OOD[0].Metrics.AUROC = 0.9999, 1
	got, err := r.Table(report.Markdown, true)
	require.NoError(t, err)
	assert.Contains(t, got, "**9.51** / 99.99")
	assert.Contains(t, got, "10.00 / **100.00**")
}

// Detectors worse than chance, for which every FPR95 exceeds every AUROC.
func TestTableBestOfBad(t *testing.T) {
	r := example()
	for i := range r.Methods {
		r.Methods[i].OOD = r.Methods[i].OOD[:1]
		r.Methods[i].OOD[0].Metrics.FPR95 = 0.8 + 0.1*float64(i)
		r.Methods[i].OOD[0].Metrics.AUROC = 0.2 + 0.1*float64(i)
	}
	got, err := r.Table(report.Markdown, true)
	require.NoError(t, err)
	assert.Contains(t, got, "| line | clip = 1, p_a = 90, p_w = 90 | **80.00** / 20.00 |")
	assert.Contains(t, got, "| energy | temperature = 1 | 90.00 / **30.00** |")
}

func TestTableMarkdown(t *testing.T) {
	r := example()
	r.ID.Accuracy = nan
	got, err := r.Table(report.Markdown, true)
	require.NoError(t, err)
	assert.Equal(t, strings.TrimPrefix(`
| method | parameters | textures10 | mnist | average |
|:--- |:--- | ---:| ---:| ---:|
| line | clip = 1, p_a = 90, p_w = 90 | **27.40** / **95.41** |  **0.40** / **99.88** | **13.90** / **97.64** |
| energy | temperature = 1 | 54.60 / 87.49 |  **0.40** / 99.01 | 27.50 / 93.25 |

FPR95 (lower is better) / AUROC (higher is better) in %; 5000 ID samples`, "\n"), got)
}

func TestTableEscapesNames(t *testing.T) {
	text, err := nastyResult().Table(report.Text, false)
	require.NoError(t, err)
	for _, c := range strings.ReplaceAll(text, "\n", "") {
		require.True(t, unicode.IsPrint(c), "%q", c)
	}
	assert.Contains(t, text, `\n`)
	assert.Contains(t, text, `\x1b[31m\u202e`)
	assert.Equal(t, 7, len(strings.Split(text, "\n")), "no name breaks a line")

	md, err := nastyResult().Table(report.Markdown, false)
	require.NoError(t, err)
	assert.Contains(t, md, `\<script\>`)
	assert.Contains(t, md, "\\\"\\&\\|"[2:], "pipes are escaped")
	assert.Contains(t, md, "\\`\\*")
	for line := range strings.Lines(md) {
		if strings.HasPrefix(line, "|") {
			bare := strings.ReplaceAll(line, `\|`, "")
			assert.Equal(t, 6, strings.Count(bare, "|"), line)
		}
	}
	plain, err := renamed("tin_resize").Table(report.Markdown, false)
	require.NoError(t, err)
	assert.Contains(t, plain, "| tin_resize |", "an underscore inside a word needs no escape")
}

func renamed(set string) report.Result {
	r := example()
	for i := range r.Methods {
		r.Methods[i].OOD[0].Name = set
	}
	return r
}

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, example().WriteCSV(&out))
	assert.Equal(t, `method,ood,n,fpr95,auroc,aupr_in,aupr_out,fpr95_openood,dterr,fit_seconds,us_per_sample,params,bytes
line,textures10,500,27.4,95.406,99.5,70,30,11,0.1,3.2,"clip = 1, p_a = 90, p_w = 90",0
line,mnist,400,0.4,99.877,0,0,0,2,0.1,3.2,"clip = 1, p_a = 90, p_w = 90",0
energy,textures10,500,54.6,87.494,0,0,0,20,0,0.5,temperature = 1,0
energy,mnist,400,0.4,99.007,0,0,0,4,0,0.5,temperature = 1,0
`, out.String())
}

func TestCSVIntervalsAndNames(t *testing.T) {
	r := withIntervals(nastyResult())
	r.Methods[1].OOD[1].CI = nil
	var out bytes.Buffer
	require.NoError(t, r.WriteCSV(&out))
	rows, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 5)
	assert.Equal(t, []string{"method", "ood", "n", "fpr95", "fpr95_lo", "fpr95_hi", "auroc"}, rows[0][:7])
	assert.Equal(t, []string{nasty + "a", nasty + "set", "500", "27.4", "25", "30"}, rows[1][:6])
	assert.Equal(t, []string{"0.4", "", ""}, rows[4][3:6], "no interval here")
}

func ExampleResult_Table() {
	r := example()
	s, err := r.Table(report.Markdown, true)
	if err != nil {
		panic(err)
	}
	fmt.Println(s)
	// Output:
	// | method | parameters | textures10 | mnist | average |
	// |:--- |:--- | ---:| ---:| ---:|
	// | line | clip = 1, p_a = 90, p_w = 90 | **27.40** / **95.41** |  **0.40** / **99.88** | **13.90** / **97.64** |
	// | energy | temperature = 1 | 54.60 / 87.49 |  **0.40** / 99.01 | 27.50 / 93.25 |
	//
	// FPR95 (lower is better) / AUROC (higher is better) in %; 5000 ID samples, accuracy 94.50 %
}

func ExampleResult_WriteCSV() {
	if err := example().WriteCSV(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// method,ood,n,fpr95,auroc,aupr_in,aupr_out,fpr95_openood,dterr,fit_seconds,us_per_sample,params,bytes
	// line,textures10,500,27.4,95.406,99.5,70,30,11,0.1,3.2,"clip = 1, p_a = 90, p_w = 90",0
	// line,mnist,400,0.4,99.877,0,0,0,2,0.1,3.2,"clip = 1, p_a = 90, p_w = 90",0
	// energy,textures10,500,54.6,87.494,0,0,0,20,0,0.5,temperature = 1,0
	// energy,mnist,400,0.4,99.007,0,0,0,4,0,0.5,temperature = 1,0
}
