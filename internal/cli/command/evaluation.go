package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/line/eval"
	"github.com/line-ood/goline/line/posthoc"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/weights"
)

// Evaluation is shared by commands that fit on one set of images and measure on others.
type Evaluation struct {
	Common
	Net         Network
	LINe        LINe
	Fit, ID     string   // sets of --ood and, where a command has the flags, of --near, --far and --csid
	OOD         SetFlags // of --ood and, where a command has them, of --near, --far and --csid
	FeaturesDir string
	Needs       []string // what to extract of each picture beside features and logits, see [eval.Needs]

	// The fields below are set by Check, Open and Load.
	Sets        []NamedData // out-of-distribution
	CSID        []NamedData // covariate-shifted in-distribution
	LINeOptions line.Options
	Network     nets.Classifier
	WeightsSHA  string
	Extractor   *eval.Extractor
	Images      []ImageSet // fit, id, CSID and Sets, in this order
	Data        eval.Data

	checkpoint bool   // whether this is a checkpoint after the first
	finish     func() // ends the progress
}

// NamedData is a DATA argument with the name that it was given.
type NamedData struct {
	Name, Spec string
	Group      string // "near", "far", or "" for none
	flag       string
}

// Check parses and checks the flags before any file is read.
func (e *Evaluation) Check() (err error) {
	if e.Sets, e.CSID, err = e.OOD.parse(); err != nil {
		return err
	}
	some := ""
	if len(e.Sets) > 0 {
		some = e.Sets[0].Name
	}
	if err := Required(append(e.Net.Needs(), "--fit", e.Fit, "--id", e.ID, "--ood", some)...); err != nil {
		return err
	}
	e.LINeOptions, err = e.LINe.Options()
	return err
}

// Inputs returns the files that the command reads.
func (e *Evaluation) Inputs() []Input {
	all := append(e.Net.Inputs(), InputData("--fit", e.Fit), InputData("--id", e.ID),
		InputFolder("--features-dir", e.FeaturesDir))
	if e.FeaturesDir != "" {
		all = append(all, InputFolder("--features-dir", e.scoresDir()))
	}
	for _, s := range slices.Concat(e.CSID, e.Sets) {
		all = append(all, InputData(s.flag+" "+s.Name, s.Spec))
	}
	return all
}

// Extract calls Open, Load and Close.
func (e *Evaluation) Extract(ctx context.Context, labels func(set dataset.Dataset, classes int) error) error {
	defer e.Close()
	if err := e.Open(labels); err != nil {
		return err
	}
	return e.Load(ctx)
}

// Checkpoint returns a copy of the evaluation, checked but not opened, for the weights of another checkpoint.
func (e *Evaluation) Checkpoint(weights string) *Evaluation {
	other := *e
	other.Net.Weights = weights
	other.Images, other.Data, other.Extractor, other.finish, other.checkpoint = nil, eval.Data{}, nil, nil, true
	return &other
}

// Open opens the network and all sets, and checks everything that can be checked before the work begins. labels checks
// the labels of the set to fit to. The caller must call Close, even after an error.
func (e *Evaluation) Open(labels func(set dataset.Dataset, classes int) error) (err error) {
	if e.Network, err = e.Net.Open(); err != nil {
		return err
	}
	if e.WeightsSHA, err = e.Net.SHA256(); err != nil {
		return err
	}
	if err := e.Limit(e.Network, 0); err != nil {
		return err
	}
	o, finish := e.EvalOptions()
	e.finish = finish
	if e.Extractor, err = eval.NewExtractor(e.Network, o); err != nil {
		return err
	}
	if err := e.openSets(labels); err != nil {
		return err
	}
	return keepFeatures(e.Extractor, e.FeaturesDir, e.WeightsSHA)
}

// Close closes the sets that Open has opened, and ends the progress.
func (e *Evaluation) Close() {
	for _, s := range e.Images {
		s.Close()
	}
	if e.finish != nil {
		e.finish()
	}
	e.Images, e.finish = nil, nil
}

// Load computes the features of all sets, or reads them from the folder of kept features.
func (e *Evaluation) Load(ctx context.Context) error {
	e.Data = eval.Data{Head: nets.HeadOf(e.Network)}
	for i, set := range e.Images {
		s, err := e.Samples(ctx, set, e.Needs)
		if err != nil {
			return err
		}
		switch k := i - 2 - len(e.CSID); {
		case i == 0:
			e.Data.Fit = eval.Set{Name: e.Fit, Samples: s}
		case i == 1:
			e.Data.ID = eval.Set{Name: e.ID, Samples: s}
		case k < 0:
			e.Data.CSID = append(e.Data.CSID, eval.Set{Name: e.CSID[i-2].Name, Samples: s})
		default:
			s.Labels = nil // labels of other classes than the network's mean nothing here
			e.Data.OOD = append(e.Data.OOD, eval.Set{Name: e.Sets[k].Name, Group: e.Sets[k].Group, Samples: s})
		}
	}
	return nil
}

// Samples returns the features of one set, and what needs names beside them.
func (e *Evaluation) Samples(ctx context.Context, set ImageSet, needs []string) (posthoc.Samples, error) {
	name := set.Kept
	if e.checkpoint {
		name += "-" + e.WeightsSHA[:min(8, len(e.WeightsSHA))]
	}
	s, err := e.Extractor.Samples(ctx, name, set.Dataset)
	if err != nil {
		return s, err
	}
	return s, e.Extractor.Extend(ctx, name, set.Dataset, &s, needs)
}

// KeptScores returns a store for scores in the folder of kept features, nil without such a folder.
func (e *Evaluation) KeptScores() (*eval.KeptScores, error) {
	if e.FeaturesDir == "" {
		return nil, nil
	}
	program, err := ProgramHash()
	if err != nil {
		return nil, err
	}
	return &eval.KeptScores{Dir: e.scoresDir(), Program: program}, MakeFolder("--features-dir", e.scoresDir())
}

func (e *Evaluation) scoresDir() string { return filepath.Join(e.FeaturesDir, "scores") }

// NewExtractor returns an extractor that keeps features in the folder of --features-dir, "" for none.
func NewExtractor(net nets.Classifier, dir, weightsSHA string, o eval.Options) (*eval.Extractor, error) {
	x, err := eval.NewExtractor(net, o)
	if err != nil {
		return nil, err
	}
	return x, keepFeatures(x, dir, weightsSHA)
}

// keepFeatures makes an extractor keep features in the folder dir, that of --features-dir; "" keeps none.
func keepFeatures(x *eval.Extractor, dir, weightsSHA string) (err error) {
	if dir == "" {
		return nil
	}
	x.Dir, x.Weights = dir, weightsSHA
	if x.Program, err = ProgramHash(); err != nil {
		return err
	}
	return MakeFolder("--features-dir", dir)
}

// ProgramHash returns the SHA-256 of the running program's file, in hexadecimal. Results that another version of the
// program has kept may differ, so they are kept under its hash.
var ProgramHash = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the running program: %w", err)
	}
	return weights.SHA256(path)
})
