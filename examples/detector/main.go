// Command detector registers a detection method of one's own and compares it with LINe in a table and an HTML report.
package main

import (
	"context"
	"fmt"
	"math"
	"os"

	"github.com/line-ood/goline/examples/pictures"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
)

func init() {
	posthoc.Register(posthoc.Kind{
		Name: "norm",
		Params: []posthoc.Parameter{
			{Name: "power", Doc: "p of the norm", Default: 2, Max: 10, Open: true, Grid: []float64{1, 2, 4}}},
		New: func(params map[string]float64, _ int) (posthoc.Method, error) {
			return norm{posthoc.Func("norm", func(features, _ []float32) float64 {
				sum := 0.0
				for _, z := range features {
					sum += math.Pow(math.Abs(float64(z)), params["power"])
				}
				return sum
			}), params["power"]}, nil
		},
	})
}

// norm is a method with a parameter, which reports show.
type norm struct {
	posthoc.Method
	power float64
}

func (n norm) Params() map[string]any { return map[string]any{"power": n.power} }

func main() {
	ctx := context.Background()
	net := pictures.Trained(ctx)
	x := pictures.Must(eval.NewExtractor(net, eval.Options{}))
	set := func(name string, n int, seed uint64, kinds ...int) eval.Set {
		return eval.Set{Name: name, Samples: pictures.Must(x.Samples(ctx, name, pictures.Set(name, n, seed, kinds...)))}
	}
	data := eval.Data{Head: nets.HeadOf(net), Fit: set("fit", 300, 1, 0, 1, 2), ID: set("stripes", 90, 2, 0, 1, 2),
		OOD: []eval.Set{set("checks", 60, 3, pictures.Checks)}}
	method := func(name string) posthoc.Method { return pictures.Must(posthoc.New(name, posthoc.Options{})) }
	methods := []posthoc.Method{method("line"), method("energy"), method("norm")}
	found := pictures.Must(eval.Run(ctx, data, methods, eval.RunOptions{}))
	r, page := found.Report(net.Name(), report.Weights{}), pictures.Must(os.CreateTemp("", "report-*.html"))
	fmt.Println(pictures.Must(r.Table(report.Text, false)))
	pictures.Check(r.WriteHTML(page, found.Scores, report.Provenance{Command: "go run ./detector"}))
	pictures.Check(page.Close())
	fmt.Println(page.Name())
}
