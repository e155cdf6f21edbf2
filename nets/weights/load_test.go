package weights_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/nets/weights"
)

// net is a target with the parameters of testdata/make.py.
type net []*graph.Param

func (n net) Params() []*graph.Param { return n }

func newNet() net {
	return net{graph.NewParam("conv.weight", 2, 3, 2, 2), graph.NewParam("bn.running_mean", 2)}
}

func state(t testing.TB, tensors ...weights.Tensor) *weights.StateDict {
	sd := &weights.StateDict{}
	for _, tensor := range tensors {
		require.NoError(t, sd.Add(tensor))
	}
	return sd
}

func f32(name string, data ...float32) weights.Tensor {
	return weights.Tensor{Name: name, Shape: []int{len(data)}, F32: data}
}

func TestLoadInto(t *testing.T) {
	n := newNet()
	require.NoError(t, weights.LoadInto(n, filepath.Join("testdata", "nested.pth.tar")))
	for i, want := range fixture(1)[:2] {
		require.Equal(t, want.F32, n[i].Float32s())
	}

	path := filepath.Join("testdata", "views.pth")
	err := weights.LoadInto(newNet(), path)
	require.ErrorContains(t, err, path)
	var mismatch *weights.MismatchError
	require.ErrorAs(t, err, &mismatch)
	missing := filepath.Join("testdata", "missing.pth")
	err = weights.LoadInto(newNet(), missing)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.EqualError(t, err, "read weights "+missing+": no such file or directory")
	require.ErrorContains(t, weights.LoadInto(newNet(), "testdata"), "not a regular file")
}

func TestLoadCopies(t *testing.T) {
	p := graph.NewParam("a", 2)
	src := f32("a", 1, 2)
	require.NoError(t, weights.Load([]*graph.Param{p}, state(t, src)))
	src.F32[0] = 9
	require.Equal(t, []float32{1, 2}, p.Float32s())
}

func TestLoadListsEveryMismatchAndTouchesNothing(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	params := []*graph.Param{
		graph.NewParam("z.missing", 1), graph.NewParam("a.missing", 1), graph.NewParam("good", 2),
		graph.NewParam("rank", 2, 1), graph.NewParam("length", 3), graph.NewParam("nan", 2), graph.NewParam("inf", 2),
		graph.NewParam("count", 1),
	}
	sd := state(t, f32("z.extra", 1), f32("a.extra", 1), f32("good", 1, 2), f32("rank", 1, 2), f32("length", 1, 2),
		f32("nan", 0, nan), f32("inf", inf, 0), weights.Tensor{Name: "count", Shape: []int{1}, I64: []int64{1<<24 + 1}})
	err := weights.Load(params, sd)
	var mismatch *weights.MismatchError
	require.True(t, errors.As(err, &mismatch))
	require.Equal(t, &weights.MismatchError{
		Missing:    []string{"a.missing", "z.missing"},
		Unexpected: []string{"a.extra", "z.extra"},
		Misshapen: []weights.ShapeMismatch{
			{Name: "length", File: []int{2}, Want: []int{3}}, {Name: "rank", File: []int{2}, Want: []int{2, 1}},
		},
		NonFinite: []string{"inf", "nan"},
		Inexact:   []string{"count"},
	}, mismatch)
	require.EqualError(t, err, "weights do not fit the network: tensors 2 missing (a.missing, z.missing); "+
		"2 unexpected (a.extra, z.extra); 2 of another shape (length: expected [3], got [2], rank: expected [2 1], "+
		"got [2]); "+
		"2 with NaN or infinite elements (inf, nan); 1 with integers beyond float32 (count)")
	for _, p := range params {
		for _, v := range p.Float32s() {
			require.Zero(t, v, p.Name)
		}
	}
}

func TestMismatchErrorStaysShort(t *testing.T) {
	var params []*graph.Param
	for i := range 600 {
		params = append(params, graph.NewParam(fmt.Sprintf("layer%03d", i), 1))
	}
	err := weights.Load(params, state(t))
	require.EqualError(t, err, "weights do not fit the network: tensors 600 missing (layer000, layer001, layer002, "+
		"layer003, layer004, layer005, layer006, layer007 and 592 more)")
}

func TestLoadStepCounters(t *testing.T) {
	counter := weights.Tensor{Name: "bn.num_batches_tracked", Shape: []int{1}, I64: []int64{7}}
	a, b := f32("a", 1), graph.NewParam("a", 1)
	tracked := graph.NewParam("bn.num_batches_tracked", 1)

	require.NoError(t, weights.Load([]*graph.Param{b}, state(t, a, counter)), "the network has none")
	require.NoError(t, weights.Load([]*graph.Param{b, tracked}, state(t, a)), "the file has none")
	require.Equal(t, []float32{0}, tracked.Float32s())
	require.NoError(t, weights.Load([]*graph.Param{b, tracked}, state(t, a, counter)))
	require.Equal(t, []float32{7}, tracked.Float32s())

	scalar := graph.NewParam("bn.num_batches_tracked")
	counter.Shape = []int{}
	require.NoError(t, weights.Load([]*graph.Param{b, scalar}, state(t, a, counter)))
	require.Equal(t, float32(7), scalar.Value.Data())

	counter.Name = "my_num_batches_tracked"
	require.Error(t, weights.Load([]*graph.Param{b}, state(t, a, counter)), "only the exact name is excused")
}

func TestLoadTakesExactIntegers(t *testing.T) {
	p := graph.NewParam("a", 3)
	sd := state(t, weights.Tensor{Name: "a", Shape: []int{3}, I64: []int64{-5, 1 << 24, 1 << 40}})
	require.NoError(t, weights.Load([]*graph.Param{p}, sd))
	require.Equal(t, []float32{-5, 1 << 24, 1 << 40}, p.Float32s())
	for _, v := range []int64{1<<24 + 1, math.MaxInt64, -1<<24 - 1} {
		sd := state(t, weights.Tensor{Name: "a", Shape: []int{3}, I64: []int64{0, 0, v}})
		require.ErrorContains(t, weights.Load([]*graph.Param{p}, sd), "beyond float32", v)
	}
}

func TestLoadRefusesUnusableParams(t *testing.T) {
	view, err := graph.NewParam("a", 3, 3).Value.Slice(tensor.S(0, 3), tensor.S(0, 2))
	require.NoError(t, err)
	for name, params := range map[string][]*graph.Param{
		"twice":    {graph.NewParam("a", 1), graph.NewParam("a", 1)},
		"nil":      {nil},
		"no value": {{Name: "a"}},
		"scalar64": {{Name: "a", Value: tensor.New(tensor.FromScalar(1.0))}},
		"float64":  {{Name: "a", Value: tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(1))}},
		"view":     {{Name: "a", Value: view.(*tensor.Dense)}},
	} {
		sd := state(t, f32("a", 1))
		if name == "view" {
			sd = state(t, weights.Tensor{Name: "a", Shape: []int{3, 2}, F32: make([]float32, 6)})
		}
		err := weights.Load(params, sd)
		require.Error(t, err, name)
		require.False(t, errors.As(err, new(*weights.MismatchError)), name)
	}
}

func TestAddRefusals(t *testing.T) {
	sd := state(t, f32("a", 1))
	for name, tensor := range map[string]weights.Tensor{
		"taken":    f32("a", 1),
		"neither":  {Name: "b", Shape: []int{0}},
		"both":     {Name: "b", Shape: []int{0}, F32: []float32{}, I64: []int64{}},
		"length":   {Name: "b", Shape: []int{2}, F32: []float32{1}},
		"negative": {Name: "b", Shape: []int{-1}, F32: []float32{}},
	} {
		require.Error(t, sd.Add(tensor), name)
	}
	require.Equal(t, 1, sd.Len())
	_, ok := sd.Get("b")
	require.False(t, ok)
	_, ok = (&weights.StateDict{}).Get("a")
	require.False(t, ok)
}

func TestSHA256(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o644))
	sum, err := weights.SHA256(path)
	require.NoError(t, err)
	// The example of one block in FIPS 180-2, appendix B.1.
	require.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", sum)
	_, err = weights.SHA256(path + "missing")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = weights.SHA256(filepath.Dir(path))
	require.ErrorContains(t, err, filepath.Dir(path))
}

func ExampleLoadInto() {
	err := weights.LoadInto(newNet(), filepath.Join("testdata", "plain.pth"))
	fmt.Println(err)

	other := net{graph.NewParam("conv.weight", 2, 3, 3, 3), graph.NewParam("fc.weight", 10, 2)}
	err = weights.LoadInto(other, filepath.Join("testdata", "plain.pth"))
	var mismatch *weights.MismatchError
	if errors.As(err, &mismatch) {
		fmt.Println("missing:", mismatch.Missing)
		fmt.Println("unexpected:", mismatch.Unexpected)
		fmt.Println("misshapen:", mismatch.Misshapen)
	}
	// Output:
	// <nil>
	// missing: [fc.weight]
	// unexpected: [bn.running_mean]
	// misshapen: [conv.weight: expected [2 3 3 3], got [2 3 2 2]]
}

func ExampleStateDict() {
	sd, err := weights.Read(filepath.Join("testdata", "half.pth"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for t := range sd.All() {
		fmt.Println(t.Name, t.Shape, t.Len())
	}
	// Output:
	// conv.weight [2 3 2 2] 24
	// bn.running_mean [2] 2
	// bn.num_batches_tracked [] 1
}
