package conformal_test

import (
	"fmt"

	"github.com/line-ood/goline/line/conformal"
)

// exampleScores stands for the scores of held-out in-distribution pictures: 1, 2, …, 99.
func exampleScores() []float64 {
	scores := make([]float64, 99)
	for i := range scores {
		scores[i] = float64(i + 1)
	}
	return scores
}

func ExampleCalibration() {
	c, err := conformal.New(exampleScores())
	if err != nil {
		panic(err)
	}
	fmt.Println("p of 2.5:", c.PValue(2.5))
	t, err := c.Threshold(0.05)
	if err != nil {
		panic(err)
	}
	bound, err := t.Bound(0.1)
	if err != nil {
		panic(err)
	}
	fmt.Printf("out-of-distribution below %v, in 90 %% of calibrations at most %.1f %% of in-distribution samples\n",
		t.Score, 100*bound)
	_, err = c.Threshold(0.001)
	fmt.Println(err)
	// Output:
	// p of 2.5: 0.03
	// out-of-distribution below 5, in 90 % of calibrations at most 7.9 % of in-distribution samples
	// conformal: a false-alarm rate of 0.001: expected at least 999 calibration samples, got 99
}

func ExampleCalibration_Conditional() {
	c, err := conformal.New(exampleScores())
	if err != nil {
		panic(err)
	}
	for _, a := range []conformal.Adjustment{conformal.Marginal, conformal.Pointwise, conformal.Simes} {
		adjusted, err := c.Conditional(a, 0.1)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: p of 2.5 is %.3f\n", a, adjusted.PValue(2.5))
	}
	// Output:
	// marginal: p of 2.5 is 0.030
	// pointwise: p of 2.5 is 0.053
	// simes: p of 2.5 is 0.072
}

func ExamplePerClass() {
	scores := []float64{1, 2, 3, 11, 12, 13}
	m, err := conformal.NewPerClass(scores, []int{0, 0, 0, 1, 1, 1}, 2, 3)
	if err != nil {
		panic(err)
	}
	for class := range 2 {
		c, group := m.For(class)
		fmt.Println("p of 5 among", group, class, "is", c.PValue(5))
	}
	// Output:
	// p of 5 among own class 0 is 1
	// p of 5 among own class 1 is 0.25
}

func ExampleCalibrator() {
	c, err := conformal.NewCalibrator(conformal.Record{
		Scores: exampleScores(), Predicted: make([]int, 99), Classes: 10, Options: conformal.Options{Alpha: 0.1},
	})
	if err != nil {
		panic(err)
	}
	t, err := c.Thresholds(c.Options().Alpha)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.PValue(9.5, 0), t[0].OOD(9.5))
	// Output: 0.1 true
}

func ExampleBenjaminiHochberg() {
	reject, err := conformal.BenjaminiHochberg([]float64{0.01, 0.9, 0.02, 0.3}, 0.05)
	if err != nil {
		panic(err)
	}
	fmt.Println(reject)
	// Output: [true false true false]
}

func ExampleOnline() {
	o, err := conformal.NewOnline(conformal.OnlineOptions{Procedure: conformal.SAFFRON, Alpha: 0.1})
	if err != nil {
		panic(err)
	}
	for _, p := range []float64{0.001, 0.6, 0.002, 0.4} {
		d, err := o.Test(p)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%v at level %.4f: %v\n", p, d.Level, d.Reject)
	}
	// Output:
	// 0.001 at level 0.0109: true
	// 0.6 at level 0.0219: false
	// 0.002 at level 0.0072: true
	// 0.4 at level 0.0291: false
}

func ExampleDrift() {
	c, err := conformal.New(exampleScores())
	if err != nil {
		panic(err)
	}
	d, err := conformal.NewDrift(c, conformal.DriftOptions{Level: 0.01})
	if err != nil {
		panic(err)
	}
	for i := range 20 {
		e, err := d.Observe(-float64(i)) // lower than all scores before
		if err != nil {
			panic(err)
		}
		if e.Alarm {
			fmt.Printf("alarm after %d pictures\n", d.Seen())
			break
		}
	}
	// Output: alarm after 3 pictures
}
