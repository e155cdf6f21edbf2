package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/report"
)

const exampleJSON = `{
  "net": "densenet-bc-100-12",
  "weights": {
    "file": "checkpoint_100.pth.tar",
    "sha256": "5e884898da28047151d0e56f8dc62927"
  },
  "seed": 1,
  "id": {
    "n": 5000,
    "accuracy": 94.5
  },
  "methods": {
    "line": {
      "params": {
        "clip": 1,
        "p_a": 90,
        "p_w": 90
      },
      "fit_seconds": 0.1,
      "us_per_sample": 3.2,
      "bytes": 0,
      "ood": {
        "textures10": {
          "n": 500,
          "fpr95": 27.4,
          "auroc": 95.406,
          "aupr_in": 99.5,
          "aupr_out": 70,
          "fpr95_openood": 30,
          "dterr": 11
        },
        "mnist": {
          "n": 400,
          "fpr95": 0.4,
          "auroc": 99.877,
          "aupr_in": 0,
          "aupr_out": 0,
          "fpr95_openood": 0,
          "dterr": 2
        }
      },
      "average": {
        "fpr95": 13.9,
        "auroc": 97.6415,
        "fpr95_openood": 15
      }
    },
    "energy": {
      "params": {
        "temperature": 1
      },
      "fit_seconds": 0,
      "us_per_sample": 0.5,
      "bytes": 0,
      "ood": {
        "textures10": {
          "n": 500,
          "fpr95": 54.6,
          "auroc": 87.494,
          "aupr_in": 0,
          "aupr_out": 0,
          "fpr95_openood": 0,
          "dterr": 20
        },
        "mnist": {
          "n": 400,
          "fpr95": 0.4,
          "auroc": 99.007,
          "aupr_in": 0,
          "aupr_out": 0,
          "fpr95_openood": 0,
          "dterr": 4
        }
      },
      "average": {
        "fpr95": 27.5,
        "auroc": 93.2505,
        "fpr95_openood": 0
      }
    }
  }
}
`

// The JSON text is a contract with programs that read it: names, order, percent, digits.
func TestJSON(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, example().WriteJSON(&out))
	assert.Equal(t, exampleJSON, out.String())
	compact, err := json.Marshal(example())
	require.NoError(t, err)
	assert.JSONEq(t, exampleJSON, string(compact))
}

func TestJSONIntervalsOnlyAdd(t *testing.T) {
	plain, err := json.Marshal(example())
	require.NoError(t, err)
	with, err := json.Marshal(withIntervals(example()))
	require.NoError(t, err)
	var a, b map[string]any
	require.NoError(t, json.Unmarshal(plain, &a))
	require.NoError(t, json.Unmarshal(with, &b))

	assert.Equal(t, map[string]any{"resamples": 1000.0, "level": 95.0}, b["bootstrap"])
	set := b["methods"].(map[string]any)["line"].(map[string]any)["ood"].(map[string]any)["mnist"].(map[string]any)
	assert.Equal(t, []any{25.0, 30.0}, set["fpr95_ci"])
	assert.Equal(t, []any{90.0, 100.0}, set["auroc_ci"])
	assert.Equal(t, []any{94.0, 95.1}, b["id"].(map[string]any)["accuracy_ci"])
	removeIntervals(b)
	assert.Equal(t, a, b, "what was there without intervals is there with them")
}

func removeIntervals(o map[string]any) {
	for key, v := range o {
		if key == "bootstrap" || strings.HasSuffix(key, "_ci") {
			delete(o, key)
		} else if inner, ok := v.(map[string]any); ok {
			removeIntervals(inner)
		}
	}
}

func TestJSONUnknownAccuracyIsNull(t *testing.T) {
	r := example()
	r.ID.Accuracy = nan
	data, err := json.Marshal(r)
	require.NoError(t, err)
	assert.Contains(t, string(data), `"id":{"n":5000,"accuracy":null}`)
	var back report.Result
	require.NoError(t, json.Unmarshal(data, &back))
	assert.True(t, math.IsNaN(back.ID.Accuracy))
}

func TestJSONRoundTrip(t *testing.T) {
	for name, r := range map[string]report.Result{
		"plain": example(), "intervals": withIntervals(example()), "nasty": nastyResult(),
	} {
		data, err := json.Marshal(r)
		require.NoError(t, err)
		var back report.Result
		require.NoError(t, json.Unmarshal(data, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		assert.Equal(t, string(data), string(again), name)
		for i, m := range r.Methods {
			assert.Equal(t, m.Name, back.Methods[i].Name)
			for j, o := range m.OOD {
				assert.Equal(t, o.Name, back.Methods[i].OOD[j].Name)
				assert.InDelta(t, o.Metrics.AUROC, back.Methods[i].OOD[j].Metrics.AUROC, 1e-15)
			}
		}
	}
}

// Rates of any counts survive encoding and decoding to nine decimals of a percent, and the order is kept.
func TestJSONAnyRates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0, 1)
		names := rapid.SliceOfNDistinct(rapid.StringN(1, 8, -1), 1, 5, rapid.ID[string]).Draw(t, "names")
		r := report.Result{ID: report.ID{Accuracy: rate.Draw(t, "accuracy")}}
		for _, name := range names {
			m := report.Method{Name: name}
			for _, set := range names {
				m.OOD = append(m.OOD, report.OOD{Name: set, Metrics: metrics.Metrics{AUROC: rate.Draw(t, "auroc")}})
			}
			r.Methods = append(r.Methods, m)
		}
		data, err := json.Marshal(r)
		require.NoError(t, err)
		var back report.Result
		require.NoError(t, json.Unmarshal(data, &back))
		require.Len(t, back.Methods, len(r.Methods))
		for i, m := range back.Methods {
			require.Equal(t, names[i], m.Name)
			for j, o := range m.OOD {
				require.Equal(t, names[j], o.Name)
				require.InDelta(t, r.Methods[i].OOD[j].Metrics.AUROC, o.Metrics.AUROC, 1e-11)
			}
		}
	})
}

func TestInvalidResults(t *testing.T) {
	for want, change := range map[string]func(*report.Result){
		"report: expected at least one method, got none":     func(r *report.Result) { r.Methods = nil },
		`report: two of method "line"`:                       func(r *report.Result) { r.Methods[1].Name = "line" },
		"report: method 1 has no name":                       func(r *report.Result) { r.Methods[1].Name = "" },
		`report: name "\xff" of method 1 is not valid UTF-8`: func(r *report.Result) { r.Methods[1].Name = "\xff" },
		`report: method "line": no OOD sets`:                 func(r *report.Result) { r.Methods[0].OOD = nil },
		`expected OOD sets ["textures10" "mnist"], as of method "line", got ["textures10"]`: func(r *report.Result) {
			r.Methods[1].OOD = r.Methods[1].OOD[:1]
		},
		`two of OOD set "mnist"`: func(r *report.Result) { r.Methods[0].OOD[0].Name = "mnist" },
		`method "energy": OOD set "mnist": auroc: expected a fraction in [0, 1], got NaN`: func(r *report.Result) {
			r.Methods[1].OOD[1].Metrics.AUROC = nan
		},
		"fpr95: expected a fraction in [0, 1], got 27.4": func(r *report.Result) {
			r.Methods[0].OOD[0].Metrics.FPR95 = 27.4
		},
		"ID accuracy: expected a fraction in [0, 1], got +Inf": func(r *report.Result) {
			r.ID.Accuracy = inf
		},
		"fit seconds: expected a finite number of at least 0, got +Inf": func(r *report.Result) {
			r.Methods[0].FitSeconds = inf
		},
		"microseconds per sample: expected a finite number of at least 0, got -1": func(r *report.Result) {
			r.Methods[0].MicrosPerSample = -1
		},
		"interval of dterr: expected fractions in [0, 1], got [0.2, 0.1]": func(r *report.Result) {
			r.Methods[0].OOD[0].CI = &metrics.Intervals{DTERR: metrics.Interval{Lo: 0.2, Hi: 0.1}}
		},
		"expected a bootstrap level in (0, 1), got 95": func(r *report.Result) {
			r.Bootstrap = &report.Bootstrap{Level: 95}
		},
	} {
		r := example()
		change(&r)
		assert.ErrorContains(t, r.Validate(), want)
		var out bytes.Buffer
		assert.ErrorContains(t, r.WriteJSON(&out), want)
		assert.ErrorContains(t, r.WriteCSV(&out), want)
		assert.ErrorContains(t, r.WriteHTML(&out, nil, report.Provenance{}), want)
		_, err := r.Table(report.Text, false)
		assert.ErrorContains(t, err, want)
		assert.Empty(t, out.String(), "nothing half-written")
	}
}

func TestJSONRejectsParamsThatAreNoNumbers(t *testing.T) {
	r := example()
	r.Methods[1].Params["temperature"] = inf
	_, err := json.Marshal(r)
	assert.ErrorContains(t, err, `method "energy": params: json: unsupported value: +Inf`)
}

func TestUnmarshalErrors(t *testing.T) {
	set := `{"n":1,"fpr95":0,"auroc":100,"aupr_in":0,"aupr_out":0,"fpr95_openood":0,"dterr":0}`
	method := `{"params":{},"fit_seconds":0,"us_per_sample":0,"ood":{"s":` + set + `}}`
	result := func(methods string) string { return `{"id":{"n":1,"accuracy":50},"methods":` + methods + `}` }
	var r report.Result
	require.NoError(t, json.Unmarshal([]byte(result(`{"m":`+method+`}`)), &r))
	for text, want := range map[string]string{
		`[]`:               "report: json: cannot unmarshal array",
		`{}`:               "report: methods: missing",
		result(`[]`):       "report: methods: not an object",
		result(`{}`):       "report: expected at least one method, got none",
		result(`{"m":1}`):  `report: methods: "m": json: cannot unmarshal number`,
		result(`{"m":{}}`): `report: methods: "m": ood: missing`,
		result(`{"m":` + strings.Replace(method, `"auroc":100,`, "", 1) + `}`): `"s": "auroc" is missing`,
		result(`{"m":` + strings.Replace(method, `:100`, `:"x"`, 1) +
			`}`): `"auroc": json: cannot unmarshal string`,
		result(`{"m":` + strings.Replace(method, `:100`, `:null`, 1) +
			`}`): "auroc: expected a fraction in [0, 1], got NaN",
		result(`{"m":` + strings.Replace(method, `:100`, `:101`, 1) +
			`}`): "auroc: expected a fraction in [0, 1], got 1.01",
		result(`{"m":` + strings.Replace(method, `"ood"`, `"x"`, 1) + `}`): "ood: missing",
		result(`{"m":` + method + `,"m":` + method + `}`):                  `two of method "m"`,
		result(`{"m":` + strings.Replace(method, `"n":1`, `"auroc_ci":[1],"n":1`, 1) +
			`}`): "interval of auroc: expected fractions in [0, 1], got [0.01, 0]",
	} {
		err := json.Unmarshal([]byte(text), &r)
		assert.ErrorContains(t, err, want, text)
	}
	assert.Len(t, r.Methods, 1, "a failed decoding changes nothing")
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(exampleJSON))
	if all, err := json.Marshal(whole()); err == nil {
		f.Add(all)
	}
	f.Add([]byte(`{"methods":{"a":{"ood":{"b":null}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r report.Result
		if json.Unmarshal(data, &r) != nil {
			return
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
