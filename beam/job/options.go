// Package job is goline's work on Apache Beam: features, LINe's fit and scores of images of any number, divided among
// the workers of whatever runner executes the pipeline.
//
// [Build] adds the steps to a pipeline: the list of images is matched and cut into pieces, each an equal run of the
// list; a worker reads and decodes the images of a piece and runs the network over them, batch by batch on all its
// processors, having opened it once; a fit's statistics are reduced by [Reduce] to one detector; features and scores
// become a file for each piece, which goline merge puts together. Results have the bits of one run of goline on one
// machine, however the images are divided.
package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
)

// What a job does.
const (
	Features = "features"
	Fit      = "fit"
	Score    = "score"
)

// Options say what to do. They travel to the workers as JSON.
type Options struct {
	Job string // one of Features, Fit and Score
	// Network, Weights and Preprocess name the network of Features and Fit as goline's flags --net, --weights and
	// --preprocess do: an architecture or an ONNX file, a file of weights, and a preset or a JSON file. Workers open
	// the files by these paths.
	Network, Weights, Preprocess string
	// Detector is the file of Score; like Out, Parts and DeadLetters it may be an address that one of Beam's file
	// systems knows.
	Detector string
	// Data are the images: a list of pictures ("list:FILE" or "list:FILE+FOLDER", or FILE.txt) by paths or addresses
	// that Beam's file systems know, read line by line; or any other DATA of goline, which each worker opens.
	Data string
	// Out is the detector of Fit, and otherwise a folder for the files of the pieces.
	Out string
	// Parts is the folder for the statistics of a fit's pieces, with which Resume goes on; "" keeps none.
	Parts string
	// Pieces is how many the list is cut into, 0 for one for each 1,000 images.
	Pieces int
	// Bundles is the number of branches that pieces are dealt to. A runner that makes one bundle of all elements that
	// wait, as prism does, has so many bundles then. 0 leaves bundles to the runner.
	Bundles int
	// DeadLetters is the file of the images that could not be read, one JSON object a line; "" lets such an image fail
	// the job.
	DeadLetters string
	// Resume takes pieces that an earlier job of the same kind finished as they are.
	Resume bool
	// Batch and Workers are those of [graph.Options].
	Batch, Workers int
	// LINe holds the parameters of a fit.
	LINe Parameters
}

// Parameters are those of [line.Options] that a fit in pieces has: all but ClipPerClass, whose samples depend on the
// labels of all images before a piece.
type Parameters struct {
	ActivationPercentile, WeightPercentile, Clip, ClipPercentile float64
	NoClipping, NoActivationPruning, NoWeightPruning             bool
}

// DefaultParameters are those of [line.DefaultOptions].
func DefaultParameters() Parameters {
	o := line.DefaultOptions()
	return Parameters{ActivationPercentile: o.ActivationPercentile, WeightPercentile: o.WeightPercentile, Clip: o.Clip}
}

func (p Parameters) options() line.Options {
	return line.Options{
		ActivationPercentile: p.ActivationPercentile, WeightPercentile: p.WeightPercentile, Clip: p.Clip,
		ClipPercentile: p.ClipPercentile,
		NoClipping:     p.NoClipping, NoActivationPruning: p.NoActivationPruning, NoWeightPruning: p.NoWeightPruning,
	}
}

// Check fails for options that no job can have.
func (o Options) Check() error {
	var missing []string
	need := func(name, value string) {
		if value == "" {
			missing = append(missing, name)
		}
	}
	need("data", o.Data)
	need("out", o.Out)
	switch o.Job {
	case Features, Fit:
		need("net", o.Network)
		if o.Network != "" && !isONNX(o.Network) {
			need("weights", o.Weights)
		}
	case Score:
		need("detector", o.Detector)
	default:
		return fmt.Errorf("job %q: expected one of %s", o.Job, strings.Join([]string{Features, Fit, Score}, ", "))
	}
	switch {
	case len(missing) > 0:
		return fmt.Errorf("%s is required", strings.Join(missing, ", "))
	case o.Pieces < 0 || o.Bundles < 0 || o.Batch < 0 || o.Workers < 0:
		return fmt.Errorf("expected pieces, bundles, batch and workers of 0 or more, got %d, %d, %d and %d", o.Pieces,
			o.Bundles, o.Batch, o.Workers)
	case o.Resume && o.Job == Fit && o.Parts == "":
		return errors.New("resume: expected a folder of parts, which a fit goes on from")
	}
	return o.LINe.options().Check()
}

func (o Options) graph() graph.Options { return graph.Options{Batch: o.Batch, Workers: o.Workers} }

// folder is where the files of pieces lie, "" for nowhere.
func (o Options) folder() string {
	if o.Job == Fit {
		return o.Parts
	}
	return o.Out
}

// ending is that of the files of pieces.
func (o Options) ending() string {
	if o.Job == Score {
		return ".csv"
	}
	return ".npz"
}

func isONNX(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".onnx") }

// list returns the file of a list of pictures and the folder that its paths begin at, "" for its own; ok is false for
// other data.
func (o Options) list(exists func(string) bool) (file, root string, ok bool) {
	name, found := strings.CutPrefix(o.Data, "list:")
	if !found && !strings.HasSuffix(strings.ToLower(o.Data), ".txt") {
		return "", "", false
	}
	if exists(name) {
		return name, "", true
	}
	for _, i := range slices.Backward(indices(name, '+')) {
		if exists(name[:i]) {
			return name[:i], name[i+1:], true
		}
	}
	return name, "", true
}

// indices returns where a byte stands in a text.
func indices(text string, c byte) (at []int) {
	for i := range len(text) {
		if text[i] == c {
			at = append(at, i)
		}
	}
	return at
}
