package posthoc

import (
	"context"
	"math"
	"slices"

	"github.com/line-ood/goline/internal/linalg"
)

// unitRows holds the features z_j of samples as rows z_j scale_j in float64, with scale_j the inverse of ‖z_j‖ or a
// multiple of it.
type unitRows struct {
	dim      int
	features []float32 // z, shape [row, feature]
	scale    []float64 // shape [row]
}

// bank is unitRows in which nearest or largest rows can be searched. A search with rows rounded to float32 finds the
// candidates; their order is decided in float64.
type bank struct {
	unitRows
	search  *linalg.Bank
	longest float64 // length of the longest row
}

// bankBlock is the number of samples for which a search is fastest when made together.
const bankBlock = 96

// newUnitRows makes rows from features, shape [row, feature], which it keeps. Row j has length weight(j), or 1 if
// weight is nil, and length 0 where all its features are 0.
func newUnitRows(ctx context.Context, features []float32, dim int, weight func(j int) float64,
	workers int) (unitRows, error) {
	r := unitRows{dim, features, make([]float64, len(features)/dim)}
	err := forEachBlock(ctx, len(r.scale), 64, workers, func() func(lo, hi int) {
		return func(lo, hi int) {
			for j := lo; j < hi; j++ {
				var sum float64
				for _, v := range features[j*dim : (j+1)*dim] {
					sum += float64(float64(v) * float64(v))
				}
				w := 1.0
				if weight != nil {
					w = weight(j)
				}
				r.scale[j] = w / max(math.Sqrt(sum), tiny)
			}
		}
	})
	return r, err
}

// newBank makes a bank from the rows of newUnitRows.
func newBank(ctx context.Context, features []float32, dim int, weight func(j int) float64, workers int) (*bank, error) {
	r, err := newUnitRows(ctx, features, dim, weight, workers)
	if err != nil {
		return nil, err
	}
	b := &bank{unitRows: r, longest: 1}
	if weight != nil {
		for j := range b.scale {
			b.longest = max(b.longest, math.Abs(weight(j)))
		}
	}
	rows := make([]float32, len(features))
	for j, scale := range b.scale {
		for d, v := range features[j*dim : (j+1)*dim] {
			rows[j*dim+d] = float32(float64(v) * scale)
		}
	}
	b.search, err = linalg.NewBank(ctx, rows, dim, workers)
	return b, err
}

// units writes the normalised features of a block's samples to u, or to a new slice where u is too short, and returns
// it.
func units(u []float64, b *Block) []float64 {
	if len(u) < b.N*b.FeatureDim {
		u = make([]float64, b.N*b.FeatureDim)
	}
	for i := range b.N {
		normalise(u[i*b.FeatureDim:(i+1)*b.FeatureDim], b.FeaturesOf(i))
	}
	return u
}

// normalise writes z, divided by its norm, or by 1e-12 where the norm is smaller, to u.
func normalise(u, z []float64) {
	size := max(norm(z), tiny)
	for d, v := range z {
		u[d] = v / size
	}
}

// distance returns ‖u - row j‖².
func (r *unitRows) distance(u []float64, j int) float64 {
	var sum float64
	scale := r.scale[j]
	for d, v := range r.features[j*r.dim:][:len(u)] {
		x := u[d] - float64(float64(v)*scale)
		sum += float64(x * x)
	}
	return sum
}

// inner returns <u, row j>.
func (r *unitRows) inner(u []float64, j int) float64 {
	z := r.features[j*r.dim:][:len(u)]
	var s0, s1, s2, s3 float64
	for len(u) >= 4 && len(z) >= 4 {
		s0 += float64(u[0] * float64(z[0]))
		s1 += float64(u[1] * float64(z[1]))
		s2 += float64(u[2] * float64(z[2]))
		s3 += float64(u[3] * float64(z[3]))
		u, z = u[4:], z[4:]
	}
	for d, v := range u {
		s0 += float64(v * float64(z[d]))
	}
	return ((s0 + s1) + (s2 + s3)) * r.scale[j]
}

// nearest calls use for each of the unit vectors u, shape [sample, feature], with its k smallest squared distances to
// rows, ascending. k is from 1 to the number of rows.
func (b *bank) nearest(ctx context.Context, u []float64, k, workers int, use func(i int, distances []float64)) error {
	// Both operands of a difference are rounded by 2^-24 of their length, which is at most 1.
	const off = 1.01 * 0x1p-23
	return b.best(u, k, func(queries []float32, want int, found []float64, rows []int32) error {
		return b.search.Nearest(ctx, queries, want, found, rows, workers)
	}, b.distance, func(kth, last float64) bool {
		least := max(math.Sqrt(last)-off, 0)
		return kth < least*least
	}, use)
}

// largest calls use for each of the unit vectors u, shape [sample, feature], with its k largest inner products with
// rows, descending. k is from 1 to the number of rows.
func (b *bank) largest(ctx context.Context, u []float64, k, workers int, use func(i int, products []float64)) error {
	off := 1.01 * 0x1p-23 * b.longest
	return b.best(u, k, func(queries []float32, want int, found []float64, rows []int32) error {
		return b.search.TopInner(ctx, queries, want, found, rows, workers)
	}, func(u []float64, j int) float64 { return -b.inner(u, j) }, func(kth, last float64) bool {
		return -kth > last+off
	}, func(i int, products []float64) {
		for j := range products {
			products[j] = -products[j]
		}
		use(i, products)
	})
}

// best finds a few more rows than k by their rounded values and computes their values in float64. It takes more rows
// until sure, given the k-th best value in float64 and the last value that find found, says that no other row can be
// among the k best.
func (b *bank) best(u []float64, k int, find func(queries []float32, want int, found []float64, rows []int32) error,
	value func(u []float64, j int) float64, sure func(kth, last float64) bool, use func(i int, values []float64),
) error {
	pending := make([]int, len(u)/b.dim)
	for i := range pending {
		pending[i] = i
	}
	for want := k + 16; len(pending) > 0; want *= 4 {
		want = min(want, len(b.scale))
		queries := make([]float32, 0, len(pending)*b.dim)
		for _, i := range pending {
			for _, v := range u[i*b.dim : (i+1)*b.dim] {
				queries = append(queries, float32(v))
			}
		}
		found, rows := make([]float64, len(pending)*want), make([]int32, len(pending)*want)
		if err := find(queries, want, found, rows); err != nil {
			return err
		}
		var again []int
		values := make([]float64, want)
		for p, i := range pending {
			for m, j := range rows[p*want : (p+1)*want] {
				values[m] = value(u[i*b.dim:(i+1)*b.dim], int(j))
			}
			slices.Sort(values)
			if want == len(b.scale) || sure(values[k-1], found[(p+1)*want-1]) {
				use(i, values[:k])
			} else {
				again = append(again, i)
			}
		}
		pending = again
	}
	return nil
}

// bankScore makes a scorer's function from one that writes the scores of unit vectors u, shape [sample, feature],
// using up to that many workers. Full blocks are scored in parallel, each by one worker; a block that is not full may
// use all workers. After an error the scores are NaN.
func bankScore(workers int, score func(b *Block, u, dst []float64, workers int) error) func(*Block, []float64) {
	var u []float64
	return func(b *Block, dst []float64) {
		u = units(u, b)
		n := workers
		if b.N == bankBlock {
			n = 1
		}
		if err := score(b, u[:b.N*b.FeatureDim], dst, n); err != nil {
			for i := range dst {
				dst[i] = math.NaN()
			}
		}
	}
}
