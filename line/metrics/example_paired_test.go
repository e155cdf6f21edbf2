package metrics_test

import (
	"fmt"

	"github.com/line-ood/goline/line/metrics"
)

// Two methods score the same eight pictures. Is the lead of the first one significant?
func ExampleDeLong() {
	a := metrics.ScoreSets{ID: []float64{5, 6, 7, 8}, OOD: [][]float64{{1, 2, 3, 6.5}}}
	b := metrics.ScoreSets{ID: []float64{5, 3, 7, 8}, OOD: [][]float64{{1, 4, 3, 6.5}}}
	got, err := metrics.DeLong([][]metrics.ScoreSets{{a}, {b}}, [][2]int{{0, 1}}, 0.95)
	if err != nil {
		fmt.Println(err)
		return
	}
	adjusted, err := metrics.Holm([]float64{got[0].P, 0.001})
	fmt.Printf("lead %.3f, p = %.2f; beside another comparison with p = 0.001: %.2f, %.3f, %v\n",
		got[0].Mean, got[0].P, adjusted[0], adjusted[1], err)
	// Output: lead 0.094, p = 0.40; beside another comparison with p = 0.001: 0.40, 0.002, <nil>
}
