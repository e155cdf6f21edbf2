package linalg_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/line-ood/goline/internal/linalg"
)

// unitRows returns rows of length one. Their features are the positive parts of normal numbers around one of a hundred
// centres, as in testdata/knn_peers.py.
func unitRows(n, dim int, seed uint64) []float32 {
	centres, rng := rand.New(rand.NewPCG(1, 1)), rand.New(rand.NewPCG(seed, 2))
	centre := make([]float32, 100*dim)
	for i := range centre {
		centre[i] = float32(centres.NormFloat64())
	}
	x := make([]float32, n*dim)
	for i := range n {
		row, at := x[i*dim:][:dim], centre[rng.IntN(100)*dim:]
		sum := 0.0
		for l := range row {
			row[l] = max(0, at[l]+float32(rng.NormFloat64()))
			sum += float64(row[l] * row[l])
		}
		for l := range row {
			row[l] /= float32(math.Sqrt(sum))
		}
	}
	return x
}

// BenchmarkNearest uses the sizes of testdata/knn_peers.py.
func BenchmarkNearest(b *testing.B) {
	ctx := context.Background()
	for _, dim := range []int{2048, 342} {
		rows, queries := unitRows(50000, dim, 1), unitRows(1000, dim, 2)
		b.Run(fmt.Sprintf("D=%d/fit", dim), func(b *testing.B) {
			for b.Loop() {
				if _, err := linalg.NewBank(ctx, rows, dim, 2); err != nil {
					b.Fatal(err)
				}
			}
		})
		bank, err := linalg.NewBank(ctx, rows, dim, 2)
		if err != nil {
			b.Fatal(err)
		}
		distances, at := make([]float64, 50*1000), make([]int32, 50*1000)
		for _, n := range []int{1000, 1} {
			b.Run(fmt.Sprintf("D=%d/queries=%d", dim, n), func(b *testing.B) {
				for b.Loop() {
					if err := bank.Nearest(ctx, queries[:n*dim], 50, distances[:50*n], at[:50*n], 2); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkScatter(b *testing.B) {
	const n, dim = 10000, 2048
	rows := unitRows(n, dim, 1)
	for b.Loop() {
		s := linalg.NewScatter(dim)
		if err := s.Add(context.Background(), rows, nil, 2); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*5, "s/50000-rows")
}

func BenchmarkMulTransposed(b *testing.B) {
	const dim = 2048
	m := linalg.NewMatrix(unitRows(dim, dim, 1), dim, dim)
	for _, n := range []int{1, 1000} {
		a, dst := normals(rand.New(rand.NewPCG(1, 1)), n*dim), make([]float64, n*dim)
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := m.MulTransposed(context.Background(), dst, a, n, 2); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(2*float64(n)*dim*dim*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}

// BenchmarkVisitInner uses the sizes of a detector that visits a whole bank.
func BenchmarkVisitInner(b *testing.B) {
	const n, dim = 50000, 2048
	pair := linalg.Pair{Bank: unitRows(n, dim, 1), Queries: unitRows(384, dim, 2), Dim: dim}
	for b.Loop() {
		if err := linalg.VisitInner(context.Background(), []linalg.Pair{pair}, 2,
			func(int, int, [][]float64) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N)/384, "ms/query")
}

func BenchmarkEigen(b *testing.B) {
	for _, n := range []int{512, 2048} {
		x := normals(rand.New(rand.NewPCG(1, 1)), n*n)
		a := make([]float64, n*n)
		if err := linalg.MulTransposed(context.Background(), a, x, x, n, n, n, 2); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := linalg.Eigen(context.Background(), a, n, 2); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
