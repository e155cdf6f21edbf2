package graphtest

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
)

// The bounds of a card's results beside the processor's in float32: cardTolerance of the largest element of a result
// or, where that is less than cardFloor, of cardFloor. Inputs and cotangents are of the order of 1. So are the terms of
// which a result of smaller elements is left; 1e-7 of them is the resolution of float32.
const cardTolerance, cardFloor = 1e-5, 1e-2

// checkCard compares the results of the card in float32, if tests run on one, with the processor's. exact are the
// results in float64.
func (o Op) checkCard(t T, cotangent Array, exact, card [][]float64) {
	t.Helper()
	if d := deviceOf(tensor.Float32); d == "" || d == graph.CPU {
		return
	}
	s, _ := o.session(t, tensor.Float32, cotangent)
	s.device = graph.CPU
	for i, processor := range s.Run() {
		requireCard(t, exact[i], processor, card[i], o.Cancels && i > 0, fmt.Sprintf("result %d", i))
	}
}

// requireCard compares one result. If its terms cancel, the card's may instead be no further from the exact one than
// the processor's.
func requireCard(t T, exact, processor, card []float64, cancels bool, what string) {
	t.Helper()
	if cancels && distance(exact, card) <= distance(exact, processor) {
		return
	}
	requireWithin(t, processor, card, cardTolerance*max(cardFloor, largest(processor)),
		what+" of the card beside the processor's")
}

// largest returns the largest magnitude among the finite elements of x, 0 if there are none.
func largest(x []float64) float64 {
	most := 0.0
	for _, v := range x {
		if a := math.Abs(v); a > most && !math.IsInf(a, 0) {
			most = a
		}
	}
	return most
}

// distance returns the largest difference of elements, infinite where only one of two is a number.
func distance(want, got []float64) float64 {
	most := 0.0
	for i, w := range want {
		switch d := math.Abs(w - got[i]); {
		case w == got[i] || math.IsNaN(w) && math.IsNaN(got[i]):
		case math.IsNaN(d):
			return math.Inf(1)
		default:
			most = max(most, d)
		}
	}
	return most
}
