package eval_test

import (
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/report"
	"github.com/line-ood/goline/nets"
)

// TestHoldOut: the parts together are all samples, a quarter of each class is held out, and the seed determines
// which.
func TestHoldOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.IntRange(-1, 3), 0, 60).Draw(t, "labels")
		seed := rapid.Uint64().Draw(t, "seed")
		rest, held := eval.HoldOut(labels, len(labels), seed)
		all := slices.Sorted(slices.Values(slices.Concat(rest, held)))
		for i, k := range all {
			require.Equal(t, i, k)
		}
		require.Len(t, all, len(labels))
		require.True(t, slices.IsSorted(held) && slices.IsSorted(rest))
		count, heldOf := map[int]int{}, map[int]int{}
		for _, l := range labels {
			count[l]++
		}
		for _, i := range held {
			heldOf[labels[i]]++
		}
		for l, n := range count {
			require.Equal(t, n/4, heldOf[l])
		}
	})
	_, a := eval.HoldOut(nil, 100, 1)
	_, again := eval.HoldOut(nil, 100, 1)
	_, b := eval.HoldOut(nil, 100, 2)
	require.Len(t, a, 25)
	require.Equal(t, a, again)
	require.NotEqual(t, a, b)
}

// TestHeldOut: methods are fitted to three quarters of the pictures, the fourth is ID, and OOD is made of the fourth.
func TestHeldOut(t *testing.T) {
	x, set := extractor(t, eval.Options{}), newSet("s", 24, 1, true)
	s, err := x.Samples(t.Context(), "fit", set)
	require.NoError(t, err)
	h := nets.HeadOf(nettest.DenseNetBC(t, 10, 4, classes, 2))
	fit := eval.Set{Name: "train", Samples: s}
	v, err := x.HeldOut(t.Context(), h, fit, set, nil, nil, true, 5)
	require.NoError(t, err)
	rest, held := eval.HoldOut(set.labels, 24, 5)
	require.Equal(t, s.Subset(rest), v.Data.Fit.Samples)
	require.Equal(t, s.Subset(held), v.Data.ID.Samples)
	some, err := dataset.Subset(set, held)
	require.NoError(t, err)
	for k, pseudo := range eval.PseudoOOD(some, 5) {
		want, err := x.Samples(t.Context(), "p", pseudo)
		require.NoError(t, err)
		require.Equal(t, eval.Set{Name: pseudo.Name(), Samples: want}, v.Data.OOD[k])
	}
	c, tuning, err := v.Choose(t.Context(), "react", nil, 1)
	require.NoError(t, err)
	require.Equal(t, &report.Tuning{
		ID: "a quarter of train", OOD: []string{"patches", "pixels", "blends"}, Pseudo: true, Trials: tuning.Trials,
	}, tuning)
	require.Len(t, tuning.Trials, len(c.Trials))

	drop := make([]bool, 24)
	drop[held[0]] = true
	v, err = x.HeldOut(t.Context(), h, fit, set, nil, drop, true, 5)
	require.NoError(t, err)
	require.Equal(t, s.Subset(held[1:]), v.Data.ID.Samples)
	require.Equal(t, s.Subset(rest), v.Data.Fit.Samples)
	few := newSet("s", 9, 1, true)
	fit.Samples = s.Subset([]int{0, 1, 2, 3, 4, 5, 6, 7, 8})
	_, err = x.HeldOut(t.Context(), h, fit, few, nil, nil, true, 5)
	require.ErrorIs(t, err, eval.ErrFewPictures)
}

func TestTuneNeeds(t *testing.T) {
	needs, err := eval.TuneNeeds("odin", nil)
	require.NoError(t, err)
	require.NotEmpty(t, needs)
	needs, err = eval.TuneNeeds("line", nil)
	require.NoError(t, err)
	require.Empty(t, needs)
	_, err = eval.TuneNeeds("nothing", nil)
	require.ErrorContains(t, err, "method: expected one of ")
}

// TestBlendsOfOtherSizes: the second picture is resized to the size of the first.
func TestBlendsOfOtherSizes(t *testing.T) {
	small := dataset.Image{Pix: []uint8{10, 20, 30, 40, 50, 60}, Height: 1, Width: 2}
	large := dataset.Image{Pix: make([]uint8, 3*2*5), Height: 2, Width: 5}
	for i := range large.Pix {
		large.Pix[i] = uint8(100 + i)
	}
	set, err := dataset.FromImages("m", []dataset.Image{small, large}, []int{0, 1}, nil)
	require.NoError(t, err)
	blend := eval.PseudoOOD(set, 1)[2]
	got, err := blend.Image(0)
	require.NoError(t, err)
	require.Equal(t, []uint8{(10 + 101) / 2, (20 + 102) / 2, (30 + 103) / 2, (40 + 107) / 2, (50 + 108) / 2,
		(60 + 109) / 2}, got.Pix)
	got, err = blend.Image(1)
	require.NoError(t, err)
	require.Equal(t, [2]int{2, 5}, [2]int{got.Height, got.Width})
	require.Equal(t, uint8((100+10+1)/2), got.Pix[0])
	require.Equal(t, uint8((100+29+60+1)/2), got.Pix[29])
}

func TestShared(t *testing.T) {
	pictures := func(name string, n int, seed uint64) eval.Pictures {
		set := newSet(name, n, seed, false)
		p := eval.Pictures{Name: "--" + name, Set: set}
		for i := range set.Len() {
			img, err := set.Image(i)
			require.NoError(t, err)
			p.Hashes = append(p.Hashes, dataset.ContentHash(img))
		}
		return p
	}
	a, b := pictures("val", 5, 1), pictures("test", 4, 2)
	require.NoError(t, a.CheckDisjoint(b))
	require.Equal(t, make([]bool, 5), a.Shared(b))
	b.Hashes[3], b.Hashes[2] = a.Hashes[1], a.Hashes[4]
	err := a.CheckDisjoint(pictures("other", 3, 3), b)
	require.ErrorIs(t, err, eval.ErrShared)
	require.EqualError(t, err,
		"--val: 2 of 5 pictures are in --test too, such as valb, which is testd there: expected validation pictures "+
			"that are in no other set")
	require.Equal(t, []bool{false, true, false, false, true}, a.Shared(pictures("other", 3, 3), b))
	require.NoError(t, eval.Pictures{Hashes: [][sha256.Size]byte{}}.CheckDisjoint(b))
}
