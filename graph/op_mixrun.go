package graph

import (
	"fmt"

	"github.com/line-ood/goline/internal/kernel"
)

func mixRun[T kernel.Float](m *mixing) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			p, r, err := mixSample(m, c.in[1:], i)
			if err != nil {
				return err
			}
			out, mask := c.out.sample(i), c.in[0].sample(i)
			for _, run := range m.runs {
				to, p, r := out[run.lo:run.hi], p[run.lo:run.hi], r[run.lo:run.hi]
				switch {
				case run.group < 0:
					copy(to, p)
				case run.rising:
					kernel.Mix(to, mask[run.group:][:len(to)], p, r) // each element has another mask
				default:
					mixOne(to, mask[run.group], p, r)
				}
			}
		}
		return nil
	}
}

// mixSample returns the present and the removed activations of sample i. in holds both and, with byRow, the samples'
// rows.
func mixSample[T kernel.Float](m *mixing, in []array[T], i int) (present, removed []T, err error) {
	at := func(a array[T]) []T {
		if a.n == 1 {
			return a.sample(0)
		}
		return a.sample(i)
	}
	if !m.byRow {
		return at(in[0]), at(in[1]), nil
	}
	row := in[2].sample(i)[0]
	if !(row >= 0 && row < T(in[1].n)) || row != T(int(row)) {
		return nil, nil, wantRow(i, row, in[1].n)
	}
	return at(in[0]), in[1].sample(int(row)), nil
}

// wantRow returns the error for a sample whose row of removed activations does not exist.
func wantRow[T kernel.Float](sample int, row T, rows int) error {
	return fmt.Errorf("sample %d of the batch: expected a row from 0 to %d, got %v", sample, rows-1, row)
}

// mixBetween returns the point at m on the line from r to p. The conversions make every operation round by itself, so
// that no machine fuses multiplication and addition.
func mixBetween[T kernel.Float](m, p, r T) T {
	d := T(p - r)
	d = T(m * d)
	return r + d
}

// mixOne mixes elements that share one mask. It chooses between present and removed without a branch, because the
// branch predictor would miss random coalitions half of the time.
func mixOne[T kernel.Float](to []T, m T, p, r []T) {
	const vector = 16 // from so many elements on, four passes of vector code are faster
	switch {
	case m*(1-m) == 0: // 1 or 0: copied, because r + (p - r) would round
		copy(to, [2][]T{r, p}[int(m)])
	case len(to) < vector:
		for e := range to {
			to[e] = mixBetween(m, p[e], r[e])
		}
	default: // the same steps as mixBetween, with the same bits
		copy(to, p)
		kernel.Axpy(to, r, -1)
		kernel.Scale(to, to, m)
		kernel.Add(to, to, r)
	}
}

func mixDMask[T kernel.Float](m *mixing) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			p, r, err := mixSample(m, c.in[1:], i)
			if err != nil {
				return err
			}
			dm, dy := c.out.sample(i), c.in[0].sample(i)
			clear(dm)
			for e, g := range m.group {
				if g >= 0 {
					dm[g] += dy[e] * (p[e] - r[e])
				}
			}
		}
		return nil
	}
}

func mixDX[T kernel.Float](group []int, present bool) func(*call[T]) error {
	return func(c *call[T]) error {
		for i := range c.out.n {
			dx, dy, m := c.out.sample(i), c.in[0].sample(i), c.in[1].sample(i)
			for e, g := range group {
				share := T(1)
				if g >= 0 {
					share = m[g]
				}
				if !present {
					share = 1 - share
				}
				dx[e] = dy[e] * share
			}
		}
		return nil
	}
}
