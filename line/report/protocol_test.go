package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/report"
)

// whole is a result with every part that a result can have, over two checkpoints.
func whole() report.Result {
	r := example()
	r.Checkpoints, r.ID.AccuracySpread = 2, 0.0025
	r.CSID = []report.CSID{{Name: "cifar10c", N: 1000, Accuracy: 0.7}, {Name: "sketch", N: 50, Accuracy: nan}}
	r.FullSpectrum = &report.ID{N: 6050, Accuracy: 0.9}
	for i := range r.Methods {
		m := &r.Methods[i]
		m.OOD[0].Group, m.OOD[1].Group = "near", "far"
		m.Bytes = 12_345_678
		m.Spread = []report.Average{{FPR95: 0.01, AUROC: 0.002, FPR95OpenOOD: 0.03}, {FPR95: 0.004, AUROC: 0.005}}
		m.AverageSpread = report.Average{FPR95: 0.006, AUROC: 0.007}
		m.GroupSpread = []report.Average{{FPR95: 0.01, AUROC: 0.002, FPR95OpenOOD: 0.03}, {FPR95: 0.004, AUROC: 0.005}}
		m.FullSpectrum = slices.Clone(m.OOD)
		for k := range m.FullSpectrum {
			m.FullSpectrum[k].Metrics.AUROC -= 0.1
		}
		m.Misclassification = &report.Misclassification{AURC: 0.0123, AUROC: 0.91}
	}
	r.Methods[0].Tuning = &report.Tuning{ID: "val", OOD: []string{"patches", "pixels"}, Pseudo: true,
		Trials: []report.Trial{
			{Params: map[string]float64{"p_a": 90}, AUROC: 0.8, FPR95: 0.5}, {Params: nil, AUROC: 0.7, FPR95: 0.6},
		}}
	r.Methods[1].Misclassification.AUROC = nan
	r.Comparisons = []report.Comparison{{
		A: "line", B: "energy", Difference: 0.043, CI: metrics.Interval{Lo: -0.01, Hi: 0.09}, P: 0.0123,
		Adjusted: 0.0246,
	}}
	return r
}

func TestJSONOfTheProtocol(t *testing.T) {
	data, err := json.Marshal(whole())
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, 2.0, got["checkpoints"])
	require.Equal(t, map[string]any{"n": 5000.0, "accuracy": 94.5, "accuracy_sd": 0.25}, got["id"])
	require.Equal(t, map[string]any{
		"cifar10c": map[string]any{"n": 1000.0, "accuracy": 70.0}, "sketch": map[string]any{"n": 50.0, "accuracy": nil},
	}, got["csid"])
	require.Equal(t, []any{map[string]any{
		"a": "line", "b": "energy", "difference": 4.3, "difference_ci": []any{-1.0, 9.0}, "p": 0.0123,
		"p_adjusted": 0.0246,
	}}, got["comparisons"])
	line := got["methods"].(map[string]any)["line"].(map[string]any)
	require.Equal(t, 12_345_678.0, line["bytes"])
	groups := line["groups"].(map[string]any)
	require.Equal(t, map[string]any{
		"fpr95": 27.4, "auroc": 95.406, "fpr95_openood": 30.0, "fpr95_sd": 1.0, "auroc_sd": 0.2,
		"fpr95_openood_sd": 3.0,
	}, groups["near"])
	require.Equal(t, 99.877, groups["far"].(map[string]any)["auroc"])
	require.Equal(t, 0.7, line["average"].(map[string]any)["auroc_sd"])
	near := line["ood"].(map[string]any)["textures10"].(map[string]any)
	require.Equal(t, []any{"near", 1.0}, []any{near["group"], near["fpr95_sd"]})
	require.Equal(t, map[string]any{"aurc": 1.23, "auroc": 91.0}, line["misclassification"])
	full := line["full_spectrum"].(map[string]any)
	require.Equal(t, 85.406, full["ood"].(map[string]any)["textures10"].(map[string]any)["auroc"])
	require.Contains(t, full, "average")
	require.Contains(t, full["groups"], "far")
	require.Equal(t, map[string]any{
		"id": "val", "ood": []any{"patches", "pixels"}, "pseudo": true, "rule": report.TuningRule,
		"trials": []any{
			map[string]any{"params": map[string]any{"p_a": 90.0}, "auroc": 80.0, "fpr95": 50.0},
			map[string]any{"params": map[string]any{}, "auroc": 70.0, "fpr95": 60.0},
		},
	}, line["tuning"])

	var back report.Result
	require.NoError(t, json.Unmarshal(data, &back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	require.Equal(t, string(data), string(again))
	require.Equal(t, whole().Methods[0].GroupSpread, back.Methods[0].GroupSpread)
	require.Equal(t, whole().Comparisons, back.Comparisons)
}

func TestTableOfTheProtocol(t *testing.T) {
	got, err := whole().TableWith(report.TableOptions{FPR: report.OpenOODFPR})
	require.NoError(t, err)
	require.Equal(t, strings.TrimPrefix(`
┌────────┬──────────────────────────────┬─────────────────────────────┬─────────────────────────────┬─────────────────────────────┬─────────────────────────────┬─────────────────────────────┐
│ method │ parameters                   │          textures10         │            mnist            │         average near        │         average far         │           average           │
├────────┼──────────────────────────────┼─────────────────────────────┼─────────────────────────────┼─────────────────────────────┼─────────────────────────────┼─────────────────────────────┤
│ line   │ clip = 1, p_a = 90, p_w = 90 │ 30.00 ± 3.00 / 95.41 ± 0.20 │  0.00 ± 0.00 / 99.88 ± 0.50 │ 30.00 ± 3.00 / 95.41 ± 0.20 │  0.00 ± 0.00 / 99.88 ± 0.50 │ 15.00 ± 0.00 / 97.64 ± 0.70 │
│ energy │ temperature = 1              │  0.00 ± 3.00 / 87.49 ± 0.20 │  0.00 ± 0.00 / 99.01 ± 0.50 │  0.00 ± 3.00 / 87.49 ± 0.20 │  0.00 ± 0.00 / 99.01 ± 0.50 │  0.00 ± 0.00 / 93.25 ± 0.70 │
└────────┴──────────────────────────────┴─────────────────────────────┴─────────────────────────────┴─────────────────────────────┴─────────────────────────────┴─────────────────────────────┘
OpenOOD's FPR95 (lower is better) / AUROC (higher is better) in %; 5000 ID samples, accuracy 94.50 % ± 0.25; mean ± standard deviation over 2 checkpoints`, "\n"), got)
	full, err := whole().TableWith(report.TableOptions{Format: report.Markdown, FullSpectrum: true})
	require.NoError(t, err)
	require.Contains(t, full, "| 27.40 / 85.41 |")
	require.Contains(t, full,
		"6050 ID samples, with covariate-shifted ones (full spectrum: 1000 of cifar10c, 50 of sketch), accuracy "+
			"90.00 %")
	_, err = example().TableWith(report.TableOptions{FullSpectrum: true})
	require.ErrorContains(t, err, "no covariate-shifted ID sets")
}

func TestCostAndComparisonTables(t *testing.T) {
	r := whole()
	got, err := r.CostTable(report.Text)
	require.NoError(t, err)
	require.Equal(t, strings.TrimPrefix(`
┌────────┬────────┬────────────────────┬─────────┬────────┬───────────────────┐
│ method │ fit, s │ score, µs a sample │  memory │ AURC ↓ │ AUROC of errors ↑ │
├────────┼────────┼────────────────────┼─────────┼────────┼───────────────────┤
│ line   │    0.1 │                3.2 │ 12.3 MB │  1.230 │             91.00 │
│ energy │      0 │                0.5 │ 12.3 MB │  1.230 │                   │
└────────┴────────┴────────────────────┴─────────┴────────┴───────────────────┘
time and memory; of the classifier's errors on the ID set: area under the risk-coverage curve, and AUROC of right above wrong predictions, in %`, "\n"), got)
	plain, err := example().CostTable(report.Markdown)
	require.NoError(t, err)
	require.Contains(t, plain, "| energy | 0 | 0.5 |  |")

	got, err = r.ComparisonTable(report.Text)
	require.NoError(t, err)
	require.Contains(t, got, "│ line − energy  │      +4.30 │ -1.00 to +9.00 │ 0.012 │        0.025 │")
	require.Contains(t, got,
		"p: DeLong's test, two-sided; corrected for the number of comparisons, 1, by Holm's method")
	r.Bootstrap = &report.Bootstrap{Resamples: 2000, Level: 0.9}
	got, err = r.ComparisonTable(report.Markdown)
	require.NoError(t, err)
	require.Contains(t, got, "paired bootstrap of 2000 resamples")
	require.Contains(t, got, "90 % interval")
	none, err := example().ComparisonTable(report.Text)
	require.NoError(t, err)
	require.Empty(t, none)
	for p, want := range map[float64]string{0: "< 0.0001", 0.00012: "0.0001", 0.00099: "0.0010", 0.04567: "0.046",
		1: "1.000"} {
		require.Equal(t, want, report.FormatP(p))
	}
}

func TestCSVOfTheProtocol(t *testing.T) {
	rows := func(r report.Result) (header []string, first, last map[string]string) {
		var out bytes.Buffer
		require.NoError(t, r.WriteCSV(&out))
		all, err := csv.NewReader(&out).ReadAll()
		require.NoError(t, err)
		require.Len(t, all, 5)
		named := func(row []string) map[string]string {
			out := map[string]string{}
			for i, name := range all[0] {
				out[name] = row[i]
			}
			return out
		}
		return all[0], named(all[1]), named(all[4])
	}
	header, first, last := rows(whole())
	require.Equal(t, len(header), len(first), "no name twice")
	for name, want := range map[string]string{
		"group": "near", "group_fpr95": "27.4", "group_auroc": "95.406", "average_auroc": "97.6415", "fpr95_sd": "1",
		"fs_auroc": "85.406",
		"aurc":     "1.23", "misclassification_auroc": "91", "bytes": "12345678", "compared_with": "", "p": "",
	} {
		require.Equal(t, want, first[name], name)
	}
	for name, want := range map[string]string{
		"group": "far", "group_auroc": "99.007", "misclassification_auroc": "", "compared_with": "line",
		"difference": "4.3", "difference_lo": "-1",
		"p": "0.0123", "p_adjusted": "0.0246",
	} {
		require.Equal(t, want, last[name], name)
	}
	r := whole()
	r.Comparisons = append(r.Comparisons, report.Comparison{A: "energy", B: "line", P: 1, Adjusted: 1})
	header, _, _ = rows(r)
	require.NotContains(t, header, "compared_with", "pairs of all are no columns")
}

func TestInvalidProtocol(t *testing.T) {
	for want, change := range map[string]func(*report.Result){
		`method "energy": OOD set "mnist": expected group "far", as of method "line", ` +
			`got "near"`: func(r *report.Result) {
			r.Methods[1].OOD[1].Group = "near"
		},
		`full spectrum: expected OOD sets ["textures10" "mnist"], as of method "line", got []`: func(r *report.Result) {
			r.Methods[1].FullSpectrum = nil
		},
		`full spectrum: OOD set "mnist": auroc: expected a fraction in [0, 1], got NaN`: func(r *report.Result) {
			r.Methods[1].FullSpectrum[1].Metrics.AUROC = nan
		},
		"go with covariate-shifted ID sets, of which there are 0": func(r *report.Result) { r.CSID = nil },
		`two of CSID set "sketch"`: func(r *report.Result) {
			r.CSID[0].Name = "sketch"
		},
		`CSID set "sketch": accuracy: expected a fraction in [0, 1], got 2`: func(r *report.Result) {
			r.CSID[1].Accuracy = 2
		},
		"full-spectrum accuracy: expected a fraction in [0, 1], got -1": func(r *report.Result) {
			r.FullSpectrum.Accuracy = -1
		},
		"standard deviation of ID accuracy: expected a finite number of at least 0, got NaN": func(r *report.Result) {
			r.ID.AccuracySpread = nan
		},
		"expected standard deviations of 2 OOD sets and 2 groups, got 1 and 2": func(r *report.Result) {
			r.Methods[0].Spread = r.Methods[0].Spread[:1]
		},
		"standard deviations: expected finite numbers of at least 0, got {-1 0 0}": func(r *report.Result) {
			r.Methods[0].AverageSpread.FPR95 = -1
			r.Methods[0].AverageSpread.AUROC = 0
		},
		"bytes: expected a finite number of at least 0, got -1": func(r *report.Result) {
			r.Methods[0].Bytes = -1
		},
		"AURC: expected a fraction in [0, 1], got NaN": func(r *report.Result) {
			r.Methods[0].Misclassification.AURC = nan
		},
		"AUROC of misclassification: expected a fraction in [0, 1], got 91": func(r *report.Result) {
			r.Methods[0].Misclassification.AUROC = 91
		},
		"tuning: expected at least one trial, got none": func(r *report.Result) {
			r.Methods[0].Tuning.Trials = nil
		},
		"tuning: trial 1: a rate: expected a fraction in [0, 1], got 7": func(r *report.Result) {
			r.Methods[0].Tuning.Trials[1].AUROC = 7
		},
		`tuning: trial 0: parameter "p_a": expected a finite number, got +Inf`: func(r *report.Result) {
			r.Methods[0].Tuning.Trials[0].Params["p_a"] = inf
		},
		`comparison 0 is of method "dice", which the result does not have`: func(r *report.Result) {
			r.Comparisons[0].B = "dice"
		},
		"comparison 0: expected fractions in [-1, 1], got difference 2 in [-0.01, 0.09]": func(r *report.Result) {
			r.Comparisons[0].Difference = 2
		},
		"comparison 0: expected p-values in [0, 1], got NaN and 0.0246": func(r *report.Result) {
			r.Comparisons[0].P = nan
		},
		"expected means over at least 0 checkpoints, got -1": func(r *report.Result) { r.Checkpoints = -1 },
	} {
		r := whole()
		change(&r)
		assert.ErrorContains(t, r.Validate(), want)
	}
}
