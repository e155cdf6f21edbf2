package graph

import (
	"slices"

	G "gorgonia.org/gorgonia"
)

// FusedBatchNorm is batch norm in training with the layers that a Builder fuses into it.
func FusedBatchNorm(x, gamma, beta, residual *G.Node, relu bool, eps float64) (*G.Node, error) {
	return batchNorm(normParts{x: x, gamma: gamma, beta: beta, residual: residual, relu: relu, eps: eps})
}

// Moments returns the mean and the variance that a batch norm has computed: [2, channels].
func Moments(norm *G.Node) (*G.Node, error) { return moments(norm) }

// Apart returns options with which each operation of a program works by itself.
func Apart(o TrainingOptions) TrainingOptions {
	o.apart = true
	return o
}

// Overwritten returns the names of the operations that write over an input, sorted.
func (p *TrainingProgram) Overwritten() []string {
	var names []string
	for _, n := range p.replicas[0].order {
		if o, ok := n.Op().(*op); ok && o.slab != nil {
			if w, ok := o.fn.(overwriter); ok && o.in[w.overwrites()].Op().(*op).slab == o.slab {
				names = append(names, o.name)
			}
		}
	}
	slices.Sort(names)
	return names
}
