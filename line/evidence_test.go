package line_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/dataset/demo"
	"github.com/line-ood/goline/internal/sharedtest"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
	"github.com/line-ood/goline/nets/weights"
)

// TestClipPercentileEvidence prints, for five networks, how the results change from the paper's LINe when each neuron
// is clipped at its own 90th percentile (p_w 80, p_a 10): means over the OOD sets, and the differences with paired 95
// % bootstrap intervals. "bound" has the pruning of "percentile" with the paper's clipping, "alone" the paper's
// pruning with the clipping of "percentile". All settings were fixed beforehand, and no picture is both fitted to and
// tested on. GOLINE_FEATURES names a folder in which the features of the pictures are kept; computing them takes
// minutes the first time.
func TestClipPercentileEvidence(t *testing.T) {
	folder := os.Getenv("GOLINE_FEATURES")
	if folder == "" {
		t.Skip("set GOLINE_FEATURES to a folder for features")
	}
	const resamples = 2000
	for _, c := range evidenceCases(t) {
		t.Run(c.name, func(t *testing.T) {
			d := c.data(t, filepath.Join(folder, c.folder))
			percentiles := line.Options{ActivationPercentile: 10, WeightPercentile: 80, ClipPercentile: 90}
			perClass, bounded, alone := percentiles, percentiles, c.paper
			perClass.ClipPerClass = true
			bounded.ClipPercentile, bounded.Clip = 0, c.paper.Clip
			alone.ClipPercentile = percentiles.ClipPercentile
			names := []string{"paper", "percentile", "bound", "per class", "alone"}
			var found []measured
			for i, o := range []line.Options{c.paper, percentiles, bounded, perClass, alone} {
				m := measure(t, d, o, resamples)
				found = append(found, m)
				t.Logf("%-10s FPR95 %5.2f  AUROC %5.2f  %v", names[i], 100*m.fpr[0], 100*m.auroc[0], o.Params())
			}
			for _, pair := range [][2]int{{1, 0}, {1, 2}, {4, 0}, {3, 0}, {3, 1}} {
				a, b := found[pair[0]], found[pair[1]]
				t.Logf("%-10s - %-10s FPR95 %s  AUROC %s", names[pair[0]], names[pair[1]], difference(t, a.fpr, b.fpr),
					difference(t, a.auroc, b.auroc))
			}
			var sets []string
			for i, set := range d.OOD {
				a, b := found[1].sets[i], found[0].sets[i]
				sets = append(sets, fmt.Sprintf("%s %s", set.Name, difference(t, a.auroc, b.auroc)))
			}
			t.Logf("percentile - paper, AUROC of each set: %s", strings.Join(sets, ", "))
		})
	}
}

// evidenceCase is a network with its pictures, and the paper's parameters for the data that it was trained on.
type evidenceCase struct {
	name, folder string
	paper        line.Options
	data         func(t *testing.T, folder string) eval.Data
}

func evidenceCases(t *testing.T) []evidenceCase {
	shared := func(elem ...string) string { return sharedtest.Path(t, elem...) }
	small := func(name string) string { return shared("data", name) }
	pictures := []dataPart{
		{"ood-textures10", small("ood_textures10_500.npy")}, {"ood-sun8", small("ood_sun8_500.npy")},
		{"ood-scenes", small("ood_scenes_500.npy")},
		{"ood-tin_crop", small("ood_tin_crop_500.npy")}, {"ood-tin_resize", small("ood_tin_resize_500.npy")},
		{"ood-mnist", small("ood_mnist_500.npy")},
	}
	cifar := []dataPart{{"fit", small("cifar10_train_5000.bin")}, {"id", small("cifar10_test_5000.bin")}}
	hundred := "cifar100:" + small("cifar100_test_500.bin")
	open := func(name string, file ...string) func(t *testing.T) (nets.Classifier, string) {
		return func(t *testing.T) (nets.Classifier, string) {
			net, err := nets.Open(name, shared(file...))
			require.NoError(t, err)
			return net, shared(file...)
		}
	}
	imagenet := func(t *testing.T) (nets.Classifier, string) {
		p, err := nets.Preset("efficientnet-lite")
		require.NoError(t, err)
		path := shared("onnx", "efficientnet_lite0.onnx")
		net, err := onnx.Open(path, onnx.Options{Preprocessing: p})
		require.NoError(t, err)
		return net, path
	}
	paper := func(pA, pW, clip float64) line.Options {
		return line.Options{ActivationPercentile: pA, WeightPercentile: pW, Clip: clip}
	}
	return []evidenceCase{
		{"CIFAR-10 DenseNet", "cifar10", paper(90, 90, 1),
			extracted(open("densenet-bc-100-12", "checkpoints", "cifar10_densenet_bc_100_12.pth.tar"),
				slices.Concat(cifar, pictures, []dataPart{{"ood-cifar100", hundred}}), nil)},
		{"CIFAR-10 ResNet-20", "resnet20", paper(90, 90, 1),
			extracted(open("resnet20", "checkpoints", "cifar10_resnet20.th"),
				slices.Concat(cifar, pictures, []dataPart{{"ood-cifar100", hundred}}), nil)},
		// No training pictures are available: of every five test pictures of a class three are fitted to, and two are
		// ID.
		{"CIFAR-100 DenseNet", "cifar100", paper(10, 90, 1),
			extracted(open("densenet-bc-100-12", "checkpoints", "cifar100_densenet_bc_100_12.pth.tar"),
				slices.Concat([]dataPart{{"fit", hundred}, {"id", hundred}}, pictures), splitClasses)},
		{"EfficientNet-Lite0", "effnet", paper(10, 10, 0.8), extracted(imagenet, []dataPart{
			{"fit", shared("imagenet", "fit")}, {"id", shared("imagenet", "id")},
			{"ood-textures", shared("imagenet", "textures")}, {"ood-sun", shared("imagenet", "sun")},
		}, nil)},
		{"demo", "demo", paper(90, 90, 1), demoData},
	}
}

// dataPart is a set of pictures: "fit", "id" or "ood-" and its name.
type dataPart struct{ name, spec string }

// extracted returns the features of a network's sets, kept in a folder as eval keeps them.
func extracted(open func(*testing.T) (nets.Classifier, string), parts []dataPart,
	change func(*eval.Data)) func(*testing.T, string) eval.Data {
	return func(t *testing.T, folder string) eval.Data {
		net, file := open(t)
		x := extractor(t, net, folder)
		var err error
		x.Weights, err = weights.SHA256(file)
		require.NoError(t, err)
		d := eval.Data{Head: nets.HeadOf(net)}
		for _, p := range parts {
			var o dataset.OpenOptions
			if strings.HasSuffix(file, ".onnx") && !strings.HasPrefix(p.name, "ood-") {
				o.Classes, err = dataset.ReadClasses(sharedtest.Path(t, "imagenet", "classes.txt"))
				require.NoError(t, err)
			}
			set, err := dataset.OpenWith(p.spec, o)
			require.NoError(t, err)
			s, err := x.Samples(t.Context(), p.name, set)
			require.NoError(t, err)
			require.NoError(t, set.Close())
			add(&d, p.name, s)
		}
		if change != nil {
			change(&d)
		}
		return d
	}
}

func extractor(t *testing.T, net nets.Classifier, folder string) *eval.Extractor {
	x, err := eval.NewExtractor(net, eval.Options{})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(folder, 0o777))
	x.Dir = folder
	return x
}

func add(d *eval.Data, name string, s posthoc.Samples) {
	switch name {
	case "fit":
		d.Fit = eval.Set{Name: name, Samples: s}
	case "id":
		d.ID = eval.Set{Name: name, Samples: s}
	default:
		s.Labels = nil
		d.OOD = append(d.OOD, eval.Set{Name: strings.TrimPrefix(name, "ood-"), Samples: s})
	}
}

// splitClasses uses, of every five pictures of a class, three to fit and two as ID.
func splitClasses(d *eval.Data) {
	var fit, id []int
	seen := map[int]int{}
	for i, label := range d.Fit.Labels {
		if seen[label]++; seen[label]%5 < 2 {
			id = append(id, i)
		} else {
			fit = append(fit, i)
		}
	}
	d.ID.Samples, d.Fit.Samples = d.Fit.Subset(id), d.Fit.Subset(fit)
}

func demoData(t *testing.T, folder string) eval.Data {
	net, sha, err := demo.Network()
	require.NoError(t, err)
	x := extractor(t, net, folder)
	x.Weights = sha
	d := eval.Data{Head: nets.HeadOf(net)}
	one := func(name string, set *demo.Set, err error) {
		require.NoError(t, err)
		s, err := x.Samples(t.Context(), name, set)
		require.NoError(t, err)
		add(&d, name, s)
	}
	set, err := demo.Fit()
	one("fit", set, err)
	set, err = demo.Test()
	one("id", set, err)
	others, err := demo.OutOfDistribution()
	require.NoError(t, err)
	for _, set := range others {
		one("ood-"+set.Name(), set, nil)
	}
	return d
}
