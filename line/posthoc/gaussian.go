package posthoc

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/linalg"
)

// gaussianState holds Gaussians with a common covariance, in whitened form: A'A is the inverse covariance, so that
// ‖A(x - Centre) - m‖ is the Mahalanobis distance of x to the Gaussian with the whitened mean m.
type gaussianState struct {
	Centre []float64 // shape [feature]
	Whiten []float64 // A, shape [rank, feature]
	Means  []float64 // shape [mean, rank]
}

// gaussians computes distances for a gaussianState.
type gaussians struct {
	state       *gaussianState
	whiten      *linalg.Matrix
	rank, means int
}

// layOut makes gaussians from a state with that many means.
func (s *gaussianState) layOut(dim, means int) (*gaussians, error) {
	rank := len(s.Whiten) / dim
	if len(s.Centre) != dim || rank*dim != len(s.Whiten) || len(s.Means) != rank*means {
		return nil,
			fmt.Errorf("expected %d Gaussians of %d features, got a centre of %d, %d whitening weights and %d values "+
				"of means",
				means, dim, len(s.Centre), len(s.Whiten), len(s.Means))
	}
	return &gaussians{s, linalg.NewMatrix(s.Whiten, rank, dim), rank, means}, nil
}

// nearest returns a function for one goroutine. It writes, for each of n rows x, shape [row, feature], the smallest
// squared Mahalanobis distance to a mean to dst.
func (g *gaussians) nearest() func(dst, x []float64, n int) error {
	var centred, white []float64
	dim := len(g.state.Centre)
	return func(dst, x []float64, n int) error {
		if len(centred) < n*dim {
			centred, white = make([]float64, n*dim), make([]float64, n*g.rank)
		}
		for i := range n {
			subtract(centred[i*dim:(i+1)*dim], x[i*dim:], g.state.Centre)
		}
		if err := g.whiten.MulTransposed(context.Background(), white[:n*g.rank], centred[:n*dim], n, 1); err != nil {
			return err
		}
		for i := range n {
			y := white[i*g.rank : (i+1)*g.rank]
			dst[i] = math.Inf(1)
			for m := range g.means {
				dst[i] = min(dst[i], squaredDistance(y, g.state.Means[m*g.rank:]))
			}
		}
		return nil
	}
}

// fitTied fits a Gaussian to the rows of each class, with a common covariance: that of the rows around their class
// means, divided by the number of rows. classOf has shape [row]; rows of class -1 are left out. row writes row i to
// x, shape [dim]. Classes without rows have no Gaussian. If no class has two rows, the covariance is that around the
// mean of all.
func fitTied(ctx context.Context, classOf []int, classes, dim int, row func(i int, x []float64),
	workers int) (*gaussianState, error) {
	var members []int // ascending
	for i, c := range classOf {
		if c >= 0 {
			members = append(members, i)
		}
	}
	means, counts, err := meanRows(ctx, len(members), classes, dim, func(i int) int { return classOf[members[i]] },
		func(i int, x []float64) { row(members[i], x) }, workers)
	if err != nil {
		return nil, err
	}
	s := &gaussianState{Centre: make([]float64, dim)}
	var kept []float64
	for c, n := range counts {
		if n > 0 {
			kept = append(kept, means[c*dim:(c+1)*dim]...)
			for d, v := range means[c*dim : (c+1)*dim] {
				s.Centre[d] += float64(v * float64(n) / float64(len(members)))
			}
		}
	}
	tied := slices.Max(counts) > 1
	covariance, err := secondMoments(ctx, len(members), dim, func(i int, x []float64) {
		row(members[i], x)
		if tied {
			subtract(x, x, means[classOf[members[i]]*dim:])
		} else {
			subtract(x, x, s.Centre)
		}
	}, workers)
	if err != nil {
		return nil, err
	}
	if s.Whiten, err = whitening(ctx, covariance, dim, workers); err != nil {
		return nil, err
	}
	rank, n := len(s.Whiten)/dim, len(kept)/dim
	s.Means = make([]float64, n*rank)
	for m := range n {
		subtract(kept[m*dim:(m+1)*dim], kept[m*dim:], s.Centre)
	}
	return s, linalg.NewMatrix(s.Whiten, rank, dim).MulTransposed(ctx, s.Means, kept, n, workers)
}

// meanRows returns the mean of the rows of each class, shape [class, feature], zero for classes without rows, and the
// number of rows of each class, shape [class]. Each sum is taken in the order of the rows.
func meanRows(ctx context.Context, n, classes, dim int, classOf func(i int) int, row func(i int, x []float64),
	workers int) ([]float64, []int, error) {
	const portion = 256
	means, counts := make([]float64, classes*dim), make([]int, classes)
	x := make([]float64, portion*dim)
	for at := 0; at < n; at += portion {
		high := min(portion, n-at)
		err := forEachBlock(ctx, high, 16, workers, func() func(lo, hi int) {
			return func(lo, hi int) {
				for i := lo; i < hi; i++ {
					row(at+i, x[i*dim:(i+1)*dim])
				}
			}
		})
		if err != nil {
			return nil, nil, err
		}
		for i := range high {
			c := classOf(at + i)
			counts[c]++
			sums := means[c*dim : (c+1)*dim]
			for d, v := range x[i*dim : (i+1)*dim] {
				sums[d] += v
			}
		}
	}
	for c, n := range counts {
		for d := range means[c*dim : (c+1)*dim] {
			means[c*dim+d] /= float64(max(n, 1))
		}
	}
	return means, counts, nil
}
