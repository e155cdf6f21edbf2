package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func propLinear[T Float](eps float64) func(*rapid.T) {
	return func(t *rapid.T) {
		var mem arena
		defer mem.free()
		n, in, out := rapid.IntRange(1, 9).Draw(t, "n"), rapid.IntRange(1, 150).Draw(t, "in"),
			rapid.IntRange(1, 30).Draw(t, "out")
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		x, w := guarded(&mem, randSlice[T](rng, n*in)), guarded(&mem, randSlice[T](rng, out*in))
		var bias []T
		if rapid.Bool().Draw(t, "bias") {
			bias = guarded(&mem, randSlice[T](rng, out))
		}
		dst := guarded(&mem, nans[T](n*out))
		Linear(dst, x, w, bias, n, in, out)
		tol := eps * float64(in+2) * float64(in+2)
		for i := range n {
			for o := range out {
				want, _ := dot64(to64(x[i*in:][:in]), to64(w[o*in:][:in]))
				if bias != nil {
					want += float64(bias[o])
				}
				require.InDelta(t, want, float64(dst[i*out+o]), tol)
			}
			row := nans[T](out)
			Linear(row, x[i*in:], w, bias, 1, in, out)
			require.Equal(t, row, dst[i*out:][:out], "bits must not depend on the batch")
		}

		dy := guarded(&mem, randSlice[T](rng, n*out))
		dx := guarded(&mem, nans[T](n*in))
		LinearBackwardInput(dx, dy, w, n, in, out)
		dw, dbias := guarded(&mem, randSlice[T](rng, out*in)), guarded(&mem, randSlice[T](rng, out))
		dw0, dbias0 := append([]T(nil), dw...), append([]T(nil), dbias...)
		LinearBackwardWeight(dw, dbias, x, dy, n, in, out)
		for i := range n {
			for k := range in {
				want := 0.0
				for o := range out {
					want += float64(dy[i*out+o]) * float64(w[o*in+k])
				}
				require.InDelta(t, want, float64(dx[i*in+k]), tol+eps*float64(out*out))
			}
		}
		for o := range out {
			for k := range in {
				want := float64(dw0[o*in+k])
				for i := range n {
					want += float64(dy[i*out+o]) * float64(x[i*in+k])
				}
				require.InDelta(t, want, float64(dw[o*in+k]), eps*float64((n+2)*(n+2)))
			}
			want := float64(dbias0[o])
			for i := range n {
				want += float64(dy[i*out+o])
			}
			require.InDelta(t, want, float64(dbias[o]), eps*float64((n+2)*(n+2)))
		}
	}
}

func TestLinear(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propLinear[float32](eps32)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propLinear[float64](eps64)) })
}

func TestLinearBackwardWeightLargeBatch(t *testing.T) {
	atLevels(t, func(t *testing.T) {
		const n, in, out = 150, 5, 3
		rng := newRand(1)
		x, dy := randSlice[float32](rng, n*in), randSlice[float32](rng, n*out)
		dw, dbias := make([]float32, in*out), make([]float32, out)
		LinearBackwardWeight(dw, dbias, x, dy, n, in, out)
		for o := range out {
			want, sum := 0.0, 0.0
			for i := range n {
				want += float64(dy[i*out+o]) * float64(x[i*in+2])
				sum += float64(dy[i*out+o])
			}
			require.InDelta(t, want, dw[o*in+2], n*n*eps32)
			require.InDelta(t, sum, dbias[o], n*n*eps32)
		}
	})
}

func propRouted[T Float](eps float64) func(*rapid.T) {
	return func(t *rapid.T) {
		var mem arena
		defer mem.free()
		in, out := rapid.IntRange(1, 150).Draw(t, "in"), rapid.IntRange(1, 30).Draw(t, "out")
		n, classes := rapid.IntRange(1, 5).Draw(t, "n"), 3
		rng := newRand(rapid.Uint64().Draw(t, "seed"))
		z, w := guarded(&mem, randSlice[T](rng, n*in)), guarded(&mem, randSlice[T](rng, out*in))
		absC := guarded(&mem, randSlice[T](rng, classes*in))
		for i := range absC {
			absC[i] = T(math.Abs(float64(absC[i])))
		}
		thresholds := guarded(&mem, randSlice[T](rng, classes))
		thresholds[0] = absC[0] * w[0] // a weight whose product equals the threshold is dropped
		var bias []T
		if rapid.Bool().Draw(t, "bias") {
			bias = guarded(&mem, randSlice[T](rng, out))
		}
		class := make([]int, n)
		for i := range class {
			class[i] = rng.IntN(classes)
		}
		class[0] = 0
		z[rng.IntN(in)] = T(math.Inf(1)) // must not spread through dropped weights
		batch := guarded(&mem, nans[T](n*out))
		RoutedLinearBatch(batch, z, w, bias, absC, class, thresholds, in, out)
		tol := eps * float64((in+2)*(in+2))
		for i, k := range class {
			dst, x, c, threshold := guarded(&mem, nans[T](out)), z[i*in:][:in], absC[k*in:][:in], thresholds[k]
			RoutedLinear(dst, x, w, bias, c, threshold, in, out)
			require.Equal(t, bitsOf(dst), bitsOf(batch[i*out:][:out]))
			dy := randSlice[T](rng, out)
			dz, wantDz := guarded(&mem, nans[T](in)), make([]float64, in)
			RoutedLinearBackwardInput(dz, dy, w, c, threshold, in, out)
			for j := range out {
				want := 0.0
				if bias != nil {
					want = float64(bias[j])
				}
				for q := range in {
					if c[q]*w[j*in+q] > threshold {
						want += float64(x[q]) * float64(w[j*in+q])
						wantDz[q] += float64(dy[j]) * float64(w[j*in+q])
					}
				}
				same(t, want, dst[j], tol, "output %d", j)
			}
			for q, v := range wantDz {
				same(t, v, dz[q], eps*float64((out+2)*(out+2)), "gradient %d", q)
			}
		}
	}
}

// bitsOf returns the bits of s, with the same bits for all NaNs.
func bitsOf[T Float](s []T) []uint64 {
	b := make([]uint64, len(s))
	for i, v := range s {
		b[i] = math.Float64bits(float64(v))
	}
	return b
}

func TestRoutedLinear(t *testing.T) {
	atLevels(t, func(t *testing.T) { rapid.Check(t, propRouted[float32](eps32)) })
	t.Run("float64", func(t *testing.T) { rapid.Check(t, propRouted[float64](eps64)) })
}
