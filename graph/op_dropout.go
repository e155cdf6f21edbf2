package graph

import (
	"fmt"
	"math/rand/v2"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// Dropout sets each element of x [batch, ...] to zero with probability rate and divides the others by 1 - rate
// (Srivastava et al., JMLR 2014, in its inverted form). Which elements are dropped follows from seed and salt alone, so
// a sample is treated alike in any batch. seed [batch] of int has a seed for each sample; salt tells the layers of one
// network apart and must differ between them. Only x has a gradient.
func Dropout(x, seed *G.Node, rate float64, salt uint64) (*G.Node, error) {
	const name = "Dropout"
	if err := wantBatched(name, 1, x); err != nil {
		return nil, err
	}
	if err := wantShape(name, "seed", seed, x.Shape()[0]); err != nil {
		return nil, err
	}
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("%s: expected a rate in [0, 1), got %v", name, rate)
	}
	grad := same(func(in G.Nodes, _, grad *G.Node) (*G.Node, error) { return Dropout(grad, in[1], rate, salt) })
	return dropoutCard(rate, salt)(classOp(name, x.Shape(), []*G.Node{x, seed}, first(2), grad,
		dropoutRun[float32](rate, salt), dropoutRun[float64](rate, salt)))
}

// keptShare is the factor for the elements that are kept.
func keptShare[T kernel.Float](rate float64) T { return T(1 / (1 - rate)) }

// dropLimit is the limit below which a random number of 32 bits drops its element.
func dropLimit(rate float64) uint64 { return uint64(rate * (1 << 32)) }

func dropoutRun[T kernel.Float](rate float64, salt uint64) func(*call[T]) error {
	kept, limit := keptShare[T](rate), dropLimit(rate)
	return func(c *call[T]) error {
		seeds, err := c.ints(1)
		if err != nil {
			return err
		}
		for i := range c.out.n {
			draw := rand.NewPCG(uint64(seeds[i]), salt)
			dst, src := c.out.sample(i), c.in[0].sample(i)
			for j := 0; j < len(dst); j += 2 { // each 64-bit draw serves two elements
				bits := draw.Uint64()
				dst[j] = 0
				if bits>>32 >= limit {
					dst[j] = src[j] * kept
				}
				if j+1 == len(dst) {
					break
				}
				dst[j+1] = 0
				if bits&(1<<32-1) >= limit {
					dst[j+1] = src[j+1] * kept
				}
			}
		}
		return nil
	}
}
