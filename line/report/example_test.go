package report_test

import (
	"bytes"
	"fmt"
	"os"

	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/report"
)

func ExampleResult_WriteJSON() {
	r := report.Result{
		Net: "resnet18", Weights: report.Weights{File: "resnet18.safetensors", SHA256: "5e88"}, Seed: 1,
		ID: report.ID{N: 1000, Accuracy: 0.9},
		Methods: []report.Method{{
			Name: "energy", Params: map[string]any{"temperature": 1}, MicrosPerSample: 0.5,
			OOD: []report.OOD{{Name: "mnist", N: 500, Metrics: metrics.Metrics{FPR95: 0.03, AUROC: 0.99}}},
		}},
	}
	if err := r.WriteJSON(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// {
	//   "net": "resnet18",
	//   "weights": {
	//     "file": "resnet18.safetensors",
	//     "sha256": "5e88"
	//   },
	//   "seed": 1,
	//   "id": {
	//     "n": 1000,
	//     "accuracy": 90
	//   },
	//   "methods": {
	//     "energy": {
	//       "params": {
	//         "temperature": 1
	//       },
	//       "fit_seconds": 0,
	//       "us_per_sample": 0.5,
	//       "bytes": 0,
	//       "ood": {
	//         "mnist": {
	//           "n": 500,
	//           "fpr95": 3,
	//           "auroc": 99,
	//           "aupr_in": 0,
	//           "aupr_out": 0,
	//           "fpr95_openood": 0,
	//           "dterr": 0
	//         }
	//       },
	//       "average": {
	//         "fpr95": 3,
	//         "auroc": 99,
	//         "fpr95_openood": 0
	//       }
	//     }
	//   }
	// }
}

func ExampleROC() {
	f, err := report.ROC("mnist", []report.Curve{
		{Name: "energy", ID: []float64{9, 8, 7, 5}, OOD: []float64{6, 4, 3, 2}},
		{Name: "msp", ID: []float64{0.9, 0.8, 0.7, 0.6}, OOD: []float64{0.9, 0.8, 0.7, 0.6}},
	})
	if err != nil {
		panic(err)
	}
	var png bytes.Buffer
	if _, err := f.PNG().WriteTo(&png); err != nil {
		panic(err)
	}
	fmt.Println(f.Alt)
	fmt.Println(png.Len() > 10_000)
	// Output:
	// ROC curves on mnist. AUROC in percent: energy 93.75, msp 50.00.
	// true
}
