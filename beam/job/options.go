// Package job runs goline on Apache Beam: features, LINe's fit and scores for any number of images, divided among the
// workers of the runner that executes the pipeline.
//
// [Build] adds the steps to a pipeline. The list of images is divided into pieces, nearly equal ranges of the list. A
// worker opens the network once; for each piece it reads and decodes the images and runs the network on them, batch
// by batch, on all its processors. [Reduce] merges the statistics of a fit into one detector. Features and scores
// become a file for each piece, and goline merge joins these files. Results have the bits of a single run of goline
// on one machine, however the images are divided.
package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/line-ood/goline/graph"
	"github.com/line-ood/goline/line"
)

// The kinds of jobs.
const (
	Features = "features"
	Fit      = "fit"
	Score    = "score"
)

// Options describe a job. They are sent to the workers as JSON.
type Options struct {
	Job string // one of Features, Fit and Score
	// Network, Weights and Preprocess are for Features and Fit, with the meaning of goline's flags --net, --weights
	// and --preprocess: an architecture or an ONNX file, a file of weights, and a preset or a JSON file. Each worker
	// opens the files, by paths of its disk or by addresses.
	Network, Weights, Preprocess string
	// Detector is the detector's file for Score. Like the files above and Out, Parts and DeadLetters it may be an
	// address that one of Beam's file systems can open.
	Detector string
	// Data says which images: a list of pictures ("list:FILE" or "list:FILE+FOLDER", or FILE.txt) with paths or
	// addresses that Beam's file systems can open, which is read line by line; or any other DATA argument of goline,
	// which each worker opens.
	Data string
	// Out is the file for the detector of Fit, otherwise the folder for the files of the pieces.
	Out string
	// Parts is the folder for the statistics of a fit's pieces, from which Resume continues; "" keeps none.
	Parts string
	// Pieces is the number of pieces of the list; 0 makes one for each 1,000 images.
	Pieces int
	// Bundles is the number of branches among which pieces are divided. A runner that puts all waiting elements into
	// one bundle, as prism does, then has that many bundles. 0 leaves bundles to the runner.
	Bundles int
	// DeadLetters is the folder for the images that could not be read: a file for each piece that has such images, one
	// JSON object a line. With "" such an image fails the job.
	DeadLetters string
	// Resume uses the pieces that an earlier job with the same results finished.
	Resume bool
	// Batch, Workers, Precision and Device are the fields of [graph.Options]. Each worker must have the device.
	Batch, Workers int
	Precision      graph.Precision
	Device         graph.Device
	// LINe holds the options of a fit.
	LINe Parameters
}

// Parameters are those of [line.Options] that a fit in pieces supports: all but ClipPerClass, whose samples depend on
// the labels of all images before a piece.
type Parameters struct {
	ActivationPercentile, WeightPercentile, Clip, ClipPercentile float64
	NoClipping, NoActivationPruning, NoWeightPruning             bool
}

// DefaultParameters returns the parameters of [line.DefaultOptions].
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

// Check returns an error for options that no job can have.
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
	if err := o.checkGraph(); err != nil {
		return err
	}
	return o.LINe.options().Check()
}

// checkGraph returns an error for a device or a precision that do not exist, or do not go together.
func (o Options) checkGraph() error {
	card := o.Device != "" && o.Device != graph.CPU
	switch o.Precision {
	case "", graph.Float32, graph.BFloat16:
	case graph.TF32:
		if !card {
			return errors.New("precision tf32: expected device cuda or cuda:N with it")
		}
	default:
		return fmt.Errorf("precision %q: expected f32, bf16 or tf32", o.Precision)
	}
	if card && o.Device.Check() != nil {
		return fmt.Errorf("device %q: expected cpu, cuda or cuda:N", o.Device)
	}
	return nil
}

func (o Options) graph() graph.Options {
	return graph.Options{Batch: o.Batch, Workers: o.Workers, Precision: o.Precision, Device: o.Device}
}

// folder returns the folder for the files of pieces, "" for none.
func (o Options) folder() string {
	if o.Job == Fit {
		return o.Parts
	}
	return o.Out
}

// ending returns the extension of the files of pieces.
func (o Options) ending() string {
	if o.Job == Score {
		return ".csv"
	}
	return ".npz"
}

func isONNX(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".onnx") }

// list returns the file of a list of pictures, and the folder of its paths, "" for the list's own; ok is false for
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

// indices returns the positions of a byte in a text.
func indices(text string, c byte) (at []int) {
	for i := range len(text) {
		if text[i] == c {
			at = append(at, i)
		}
	}
	return at
}
