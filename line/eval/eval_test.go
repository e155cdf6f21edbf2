package eval_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/internal/nettest"
	"github.com/line-ood/goline/internal/npyz"
	_ "github.com/line-ood/goline/line" // registers LINe
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/metrics"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
)

const classes = 3

// memorySet is a set of random pictures of 32×32 pixels.
type memorySet struct {
	name   string
	pix    [][]uint8
	labels []int
}

func newSet(name string, n int, seed uint64, labelled bool) *memorySet {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := &memorySet{name: name}
	for i := range n {
		pix := make([]uint8, 32*32*3)
		for k := range pix {
			pix[k] = uint8(rng.IntN(256))
		}
		s.pix = append(s.pix, pix)
		if labelled {
			s.labels = append(s.labels, i%classes)
		}
	}
	return s
}

func (s *memorySet) Name() string      { return s.name }
func (s *memorySet) Len() int          { return len(s.pix) }
func (s *memorySet) Labels() []int     { return s.labels }
func (s *memorySet) Classes() []string { return nil }
func (s *memorySet) ID(i int) string   { return s.name + string(rune('a'+i)) }
func (s *memorySet) Close() error      { return nil }
func (s *memorySet) Image(i int) (dataset.Image, error) {
	return dataset.Image{Pix: slices.Clone(s.pix[i]), Height: 32, Width: 32}, nil
}

func extractor(t testing.TB, o eval.Options) *eval.Extractor {
	t.Helper()
	x, err := eval.NewExtractor(nettest.DenseNetBC(t, 10, 4, classes, 2), o)
	require.NoError(t, err)
	return x
}

// TestSamplesDoNotDependOnOptions: with any batch size and number of workers the features have the same bits as those
// of a plain run of the program.
func TestSamplesDoNotDependOnOptions(t *testing.T) {
	ctx, set := context.Background(), newSet("s", 23, 1, true)
	net := nettest.DenseNetBC(t, 10, 4, classes, 2)
	program, err := graph.Compile(net, graph.Options{Batch: 1, Workers: 1})
	require.NoError(t, err)
	want, err := eval.Extract(ctx, program, dataset.Batches(ctx, set, net.Preprocessing(),
		dataset.BatchOptions{Size: 1, Workers: 1}))
	require.NoError(t, err)
	require.Equal(t, 23, want.N)
	require.NoError(t, want.Validate())
	require.Equal(t, set.labels, want.Labels)
	for _, o := range []graph.Options{{}, {Batch: 5, Workers: 3}, {Batch: 64}} {
		var last [2]int
		got, err := extractor(t, eval.Options{Graph: o, Progress: func(stage string, done, total int) {
			require.Equal(t, "test", stage)
			last = [2]int{done, total}
		}}).Samples(ctx, "test", set)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, [2]int{23, 23}, last)
	}
	set.labels = nil
	got, err := extractor(t, eval.Options{}).Samples(ctx, "test", set)
	require.NoError(t, err)
	require.Nil(t, got.Labels)
}

// TestFolderOfFeatures: features are read from the folder only for the same network, weights, names, labels and
// pixels.
func TestFolderOfFeatures(t *testing.T) {
	ctx, set := context.Background(), newSet("s", 9, 1, true)
	x := extractor(t, eval.Options{})
	x.Dir, x.Weights = t.TempDir(), "one"
	want, err := x.Samples(ctx, "fit", set)
	require.NoError(t, err)
	path := filepath.Join(x.Dir, "fit.npz")
	rewrite := func(change func(a map[string]npyz.Array)) {
		a, err := npyz.ReadNpz(path)
		require.NoError(t, err)
		all := map[string]npyz.Array{}
		for name, v := range a.All() {
			all[name] = v
		}
		change(all)
		var named []npyz.Named
		for name, v := range all {
			named = append(named, npyz.Named{Name: name, Array: v})
		}
		require.NoError(t, npyz.WriteNpz(path, npyz.Stored, named...))
	}
	// A changed value in the file shows whether features come from the file.
	mark := func() {
		rewrite(func(a map[string]npyz.Array) {
			z := slices.Clone(want.Features)
			z[0] = 42
			a["features"] = npyz.New(z, want.N, want.FeatureDim)
			source, err := a["source"].AsStrings()
			require.NoError(t, err)
			labels, err := a["labels"].AsInt64()
			require.NoError(t, err)
			marked := want
			marked.Features = z
			a["digest"] = npyz.Scalar(eval.Digest(source[0], marked, labels)) // so that the file looks intact
		})
	}
	fromFile := func(x *eval.Extractor, set dataset.Dataset, names ...string) bool {
		mark()
		got, err := x.Find(ctx, set, names...)
		require.NoError(t, err)
		return got.Features[0] == 42
	}
	require.True(t, fromFile(x, set, "fit"))
	require.True(t, fromFile(x, set, "id", "fit", "data"), "any of the names serves")
	other := newSet("s", 9, 1, true)
	other.pix[8][5]++
	require.False(t, fromFile(x, other, "fit"), "another pixel")
	other = newSet("s", 9, 1, true)
	other.labels[3] = 2
	require.False(t, fromFile(x, other, "fit"), "another label")
	x.Weights = "two"
	require.False(t, fromFile(x, set, "fit"), "other weights")
	p := nets.CIFAR()
	again := func(p nets.Preprocessing) *eval.Extractor {
		net, err := nettest.DenseNetBC(t, 10, 4, classes, 2).WithPreprocessing(p)
		require.NoError(t, err)
		y, err := eval.NewExtractor(net, eval.Options{})
		require.NoError(t, err)
		y.Dir, y.Weights = x.Dir, "two"
		return y
	}
	require.True(t, fromFile(again(p), set, "fit"))
	p.Interpolation = nets.Bicubic
	require.False(t, fromFile(again(p), set, "fit"), "another preprocessing")
	require.True(t, fromFile(again(p), set, "fit"))
	require.False(t, fromFile(x, set, "fit"))

	require.NoError(t, os.WriteFile(path, []byte("PK broken"), 0o666))
	_, err = x.Samples(ctx, "fit", set)
	require.ErrorContains(t, err, path)
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored, npyz.Named{Name: "x", Array: npyz.New([]float32{1})}))
	_, err = x.Samples(ctx, "fit", set)
	require.ErrorContains(t, err, "not a file of kept features")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = x.Samples(cancelled, "fit", set)
	require.ErrorIs(t, err, context.Canceled)
}

func TestExtractRefusesWhatIsNotFinite(t *testing.T) {
	net := nettest.DenseNetBC(t, 10, 4, classes, 2)
	w, _ := net.Head()
	w.Float32s()[0] = float32(math.Inf(1))
	program, err := graph.Compile(net, graph.Options{})
	require.NoError(t, err)
	ctx, set := context.Background(), newSet("s", 5, 1, false)
	images := dataset.Batches(ctx, set, net.Preprocessing(), dataset.BatchOptions{})
	_, err = eval.Extract(ctx, program, images)
	require.ErrorContains(t, err, "image 0: expected finite logits")
	path := filepath.Join(t.TempDir(), "f.npz")
	require.ErrorContains(t, eval.WriteFeatures(ctx, path, program, net, images, 5), "finite logits")
	require.NoFileExists(t, path)
}

// data returns random samples; those of OOD sets have a larger variance.
func data(seed uint64) eval.Data {
	rng := rand.New(rand.NewPCG(seed, 2))
	const dim = 7
	head := posthoc.Head{Classes: classes, FeatureDim: dim}
	for range classes * dim {
		head.Weight = append(head.Weight, float32(rng.NormFloat64()))
	}
	head.Bias = make([]float32, classes)
	draw := func(n int, scale float64, labelled bool) posthoc.Samples {
		s := posthoc.Samples{N: n, FeatureDim: dim, Classes: classes}
		for i := range n {
			z := make([]float32, dim)
			for d := range z {
				z[d] = float32(scale * math.Abs(rng.NormFloat64()))
			}
			for k := range classes {
				l := 0.0
				for d, v := range z {
					l += float64(head.Weight[k*dim+d]) * float64(v)
				}
				s.Logits = append(s.Logits, float32(l))
			}
			s.Features = append(s.Features, z...)
			if labelled {
				s.Labels = append(s.Labels, i%classes)
			}
		}
		return s
	}
	return eval.Data{
		Head: head, Fit: eval.Set{Name: "train", Samples: draw(60, 1, true)},
		ID:  eval.Set{Name: "test", Samples: draw(40, 1, true)},
		OOD: []eval.Set{{Name: "wide", Samples: draw(30, 2, true)}, {Name: "narrow", Samples: draw(20, 0.5, false)}},
	}
}

// TestRunAgainstItsParts: every rate is the one that packages posthoc and metrics give for the same scores.
func TestRunAgainstItsParts(t *testing.T) {
	ctx, d := context.Background(), data(1)
	own := posthoc.Func("norm", func(z, _ []float32) float64 {
		sum := 0.0
		for _, v := range z {
			sum -= float64(v)
		}
		return sum
	})
	lineMethod, err := posthoc.New("line", posthoc.Options{})
	require.NoError(t, err)
	done := 0
	r, err := eval.Run(ctx, d, []posthoc.Method{own, lineMethod}, eval.RunOptions{Resamples: 20, Seed: 3,
		Progress: func(n, total int) {
			done++
			require.Equal(t, [2]int{done, 2}, [2]int{n, total})
		}})
	require.NoError(t, err)
	require.Equal(t, 2, done)
	require.Equal(t, 0.95, r.Bootstrap.Level)
	require.Equal(t, map[string]any{"p_a": 90.0, "p_w": 90.0, "clip": 1.0}, r.Methods[1].Params)

	wrong := 0
	for i, p := range d.ID.Predictions() {
		if p != d.ID.Labels[i] {
			wrong++
		}
	}
	require.InDelta(t, 1-float64(wrong)/40, r.ID.Accuracy, 1e-15)

	score := func(s posthoc.Samples) []float64 {
		dst := make([]float64, s.N)
		require.NoError(t, own.Score(ctx, s, dst))
		return dst
	}
	id := score(d.ID.Samples)
	require.Equal(t, id, r.Scores[0].ID)
	for i, set := range d.OOD {
		ood := score(set.Samples)
		require.Equal(t, ood, r.Scores[0].OOD[i].Scores)
		want, err := metrics.Evaluate(id, ood)
		require.NoError(t, err)
		require.Equal(t, want, r.Methods[0].OOD[i].Metrics)
		ci, err := metrics.Bootstrap(ctx, id, ood, 20, 0.95, 3)
		require.NoError(t, err)
		require.Equal(t, ci, *r.Methods[0].OOD[i].CI)
	}
}

func TestRunRefuses(t *testing.T) {
	ctx := context.Background()
	m, err := posthoc.New("line", posthoc.Options{})
	require.NoError(t, err)
	_, err = eval.Run(ctx, data(1), nil, eval.RunOptions{})
	require.ErrorIs(t, err, eval.ErrNoMethods)
	d := data(1)
	d.OOD = nil
	_, err = eval.Run(ctx, d, []posthoc.Method{m}, eval.RunOptions{})
	require.ErrorIs(t, err, eval.ErrNoSets)
	d = data(1)
	d.Fit.Labels = nil
	_, err = eval.Run(ctx, d, []posthoc.Method{m}, eval.RunOptions{})
	require.ErrorContains(t, err, "fit line on train")
	d = data(1)
	d.OOD[1].Features[3] = float32(math.NaN())
	_, err = eval.Run(ctx, d, []posthoc.Method{m}, eval.RunOptions{})
	require.ErrorContains(t, err, "score with line on narrow")
	d = data(1)
	d.OOD[1].Name = "wide"
	_, err = eval.Run(ctx, d, []posthoc.Method{m}, eval.RunOptions{})
	require.ErrorContains(t, err, `two of OOD set "wide"`)
	_, err = eval.Run(ctx, data(1), []posthoc.Method{m, m}, eval.RunOptions{})
	require.ErrorContains(t, err, `two of method "line"`)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = eval.Run(cancelled, data(1), []posthoc.Method{m}, eval.RunOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

// TestTune: the chosen setting is the best of all, and each setting's rates are those that Measure gives.
func TestTune(t *testing.T) {
	ctx, d := context.Background(), data(4)
	for name, settings := range map[string]int{"react": 4, "dice": 5, "energy": 4, "line": 27, "msp": 1} {
		c, err := eval.Tune(ctx, name, d, nil, 1)
		require.NoError(t, err)
		require.Len(t, c.Trials, settings, name)
		for _, trial := range c.Trials {
			m, err := posthoc.New(name, posthoc.Options{Params: trial.Params})
			require.NoError(t, err)
			got, _, err := eval.Measure(ctx, d, m, eval.RunOptions{})
			require.NoError(t, err)
			require.Equal(t, got.Average().AUROC, trial.AUROC)
			require.LessOrEqual(t, trial.AUROC, c.AUROC)
			if trial.AUROC == c.AUROC {
				require.LessOrEqual(t, c.FPR95, trial.FPR95)
			}
		}
	}
	c, err := eval.Tune(ctx, "line", d, map[string]float64{"p_a": 33}, 1)
	require.NoError(t, err)
	require.Len(t, c.Trials, 9)
	require.Equal(t, 33.0, c.Params["p_a"])
	_, err = eval.Tune(ctx, "nothing", d, nil, 1)
	require.ErrorContains(t, err, "method: expected one of ")
}

// TestPseudoOOD: shuffled pictures keep their patches or pixels, blends are means, and the seed determines the
// pictures.
func TestPseudoOOD(t *testing.T) {
	set := newSet("s", 6, 5, true)
	sorted := func(pix []uint8) []uint8 { return slices.Sorted(slices.Values(pix)) }
	again := eval.PseudoOOD(set, 1)
	for k, p := range eval.PseudoOOD(set, 1) {
		require.Nil(t, p.Labels())
		require.Equal(t, 6, p.Len())
		same := true
		for i := range p.Len() {
			img, err := p.Image(i)
			require.NoError(t, err)
			twin, err := again[k].Image(i)
			require.NoError(t, err)
			require.Equal(t, twin, img)
			require.NotEqual(t, set.pix[i], img.Pix)
			if p.Name() != "blends" {
				require.Equal(t, sorted(set.pix[i]), sorted(img.Pix), p.Name())
			}
			other, err := eval.PseudoOOD(set, 2)[k].Image(i)
			require.NoError(t, err)
			same = same && slices.Equal(other.Pix, img.Pix)
		}
		require.False(t, same, "%s: another seed, other pictures", p.Name())
	}
	blend, err := eval.PseudoOOD(set, 1)[2].Image(0)
	require.NoError(t, err)
	found := false
	for i := range set.pix {
		mean := true
		for k, v := range blend.Pix {
			mean = mean && int(v) == (int(set.pix[0][k])+int(set.pix[i][k])+1)/2
		}
		if mean {
			found = true
			assert.NotEqual(t, set.labels[0], set.labels[i])
		}
	}
	require.True(t, found, "the mean of two pictures")
}

// named is a set whose classes have names.
type named struct {
	*memorySet
	classes []string
}

func (n named) Classes() []string { return n.classes }

func TestAlignClasses(t *testing.T) {
	fit := named{newSet("fit", 8, 1, true), []string{"n00000001", "n00000003", "n00000005", "n00000008"}}
	set := named{newSet("set", 6, 5, true), []string{"n00000003", "n00000005", "n00000008"}}
	got := eval.AlignClasses(set, fit)
	require.Equal(t, []int{1, 2, 3, 1, 2, 3}, got.Labels())
	require.Equal(t, fit.classes, got.Classes())
	require.NoError(t, eval.CheckLabels(got, 4))
	require.EqualError(t, eval.CheckLabels(set, 4),
		"set: expected folders of the network's 4 classes, got 3 named by WordNet ids: a file of all class names must "+
			"say which they are")
	require.NoError(t, eval.CheckLabels(set, 3))
	require.Equal(t, set, eval.AlignClasses(set, named{fit.memorySet, nil}))
	require.Equal(t, set, eval.AlignClasses(set, named{fit.memorySet, []string{"a", "b", "c", "d"}}))
	require.Equal(t, fit.memorySet, eval.AlignClasses(fit.memorySet, fit), "names are not known")
}

func TestLabels(t *testing.T) {
	set, bare := newSet("s", 6, 5, true), newSet("s", 2, 1, false)
	require.NoError(t, eval.CheckTraining(set, 3))
	require.NoError(t, eval.CheckLabels(set, 3))
	for want, err := range map[string]error{
		"there are no images of class 3":                                  eval.CheckTraining(set, 4),
		"image sc: expected a label below the network's 2 classes, got 2": eval.CheckLabels(set, 2),
		"the images have no labels":                                       eval.CheckTraining(bare, 3),
		"and 87 more; fitting needs":                                      eval.CheckTraining(set, 100),
	} {
		require.ErrorContains(t, err, want)
		require.True(t, errors.Is(err, eval.ErrLabels))
	}
	set.labels[1] = -1
	require.ErrorContains(t, eval.CheckTraining(set, 3), "image sb has no label")
}

// TestRowsAndClassMeans compares NodeRows and ClassMeans with the features of the same pictures.
func TestRowsAndClassMeans(t *testing.T) {
	ctx, set := context.Background(), newSet("s", 11, 1, true)
	net := nettest.DenseNetBC(t, 10, 4, classes, 2)
	program, err := graph.Compile(net, graph.Options{Fetch: []string{"features"}})
	require.NoError(t, err)
	images := eval.Images(ctx, "images", set, net.Preprocessing(), eval.Options{})
	rows, err := eval.NodeRows(ctx, program, "features", images)
	require.NoError(t, err)
	want, err := extractor(t, eval.Options{}).Samples(ctx, "s", set)
	require.NoError(t, err)
	require.Len(t, rows, 11)
	for i, row := range rows {
		for j, v := range row {
			require.Equal(t, float64(want.Features[i*want.FeatureDim+j]), v)
		}
	}
	set.labels[4] = -1
	means, err := eval.ClassMeans(ctx, program, "features", images, set.labels, classes)
	require.NoError(t, err)
	for c := range classes {
		for j := range want.FeatureDim {
			sum, n := 0.0, 0.0
			for i, label := range set.labels {
				if label == c {
					sum += rows[i][j]
					n++
				}
			}
			require.InDelta(t, sum/n, means[c][j], 1e-12)
		}
	}
	_, err = eval.ClassMeans(ctx, program, "features", images, set.labels, classes+1)
	require.ErrorContains(t, err, "no images of class 3")
	_, err = eval.ClassMeans(ctx, program, "features", images, set.labels, 2)
	require.ErrorContains(t, err, "image 2: expected a label below the network's 2 classes, got 2")
	_, err = eval.ClassMeans(ctx, program, "features", images, set.labels[:5], classes)
	require.ErrorContains(t, err, "expected 5 images")
}

func TestPredictions(t *testing.T) {
	d := eval.Data{OOD: []eval.Set{
		{Name: "a", Samples: posthoc.Samples{N: 3, Classes: 2, FeatureDim: 0, Logits: []float32{0, 1, 2, 1, 3, 4}}},
		{Name: "b", Samples: posthoc.Samples{N: 1, Classes: 2, FeatureDim: 0, Logits: []float32{1, 0}}},
	}}
	got := d.Predictions([]string{"cat", "dog"}, 1)
	require.Len(t, got, 2)
	require.Equal(t, "a: dog 66.7 %", got[0].String())
	require.Equal(t, "b: cat 100.0 %", got[1].String())
}
