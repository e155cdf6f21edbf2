package command

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/nets/onnx"
	"github.com/line-ood/goline/nets/weights"
)

// Network holds the flags that choose a network. Every command opens the network with [Network.Open],
// [Network.OpenOrNew] or [Network.Detector], whatever kind of file the flags name.
type Network struct {
	Name, Weights    string
	Preprocess       string // name of a preset, or of a JSON file
	Features, Logits string // names of nodes in an ONNX file
	ClassNames       string // name of a file

	classes []dataset.Class // content of the file ClassNames, once read

	cmd *cobra.Command // its error stream gets notes about what was read
}

// Register adds the flags to a command.
func (n *Network) Register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&n.Name, "net", "",
		"architecture by `NAME`, for example densenet-bc-100-12 (goline networks lists them), or an ONNX file")
	f.StringVar(&n.Weights, "weights", "",
		"`FILE` of weights: .pth, .pth.tar, .th, .pt, .safetensors or .npz; not for an ONNX file, which has its own")
	f.StringVar(&n.Preprocess, "preprocess", "", "how images are prepared: a `PRESET` ("+strings.Join(nets.Presets(),
		", ")+") or a JSON file; named networks know")
	f.StringVar(&n.Features, "features", "",
		"`NODE` of an ONNX file that is the penultimate layer, where it is not found")
	f.StringVar(&n.Logits, "logits", "", "`NODE` of an ONNX file that gives the logits, where it is not found")
	f.StringVar(&n.ClassNames, "class-names", "",
		"`FILE` of the network's classes, one a line, a WordNet id first where folders are named so")
	n.cmd = cmd
}

// IsONNX tells whether the flags name an ONNX file.
func (n *Network) IsONNX() bool { return strings.EqualFold(filepath.Ext(n.Name), ".onnx") }

// Needs returns the flags that Open requires, as arguments for [Required].
func (n *Network) Needs() []string {
	if n.IsONNX() {
		return []string{"--net", n.Name}
	}
	return []string{"--net", n.Name, "--weights", n.Weights}
}

// Given tells whether the flags name a network.
func (n *Network) Given() bool { return n.Name != "" || n.Weights != "" }

// File returns the path of the file that Open reads the weights from.
func (n *Network) File() string {
	if n.IsONNX() {
		return n.Name
	}
	return n.Weights
}

// Inputs returns the files that Open reads.
func (n *Network) Inputs() []Input {
	inputs := []Input{InputFile("--weights", n.Weights)}
	if n.IsONNX() {
		inputs = append(inputs, InputFile("--net", n.Name), inputExternal("--net", n.Name))
	}
	if _, err := nets.Preset(n.Preprocess); err != nil {
		inputs = append(inputs, InputFile("--preprocess", n.Preprocess))
	}
	return append(inputs, InputFile("--class-names", n.ClassNames))
}

// Classes returns the classes that --class-names lists, nil without it.
func (n *Network) Classes() ([]dataset.Class, error) {
	if n.ClassNames == "" || n.classes != nil {
		return n.classes, nil
	}
	var err error
	if n.classes, err = dataset.ReadClasses(n.ClassNames); err != nil {
		return nil, fmt.Errorf("--class-names: %w", err)
	}
	return n.classes, nil
}

// Names returns a name for each class of --class-names, all different, nil without the flag.
func (n *Network) Names() ([]string, error) {
	classes, err := n.Classes()
	if err != nil || classes == nil {
		return nil, err
	}
	return dataset.ClassNames(classes), nil
}

// Data opens a set of images. With --class-names its labels are numbers in that list. The caller must close the set.
func (n *Network) Data(flag, spec string) (dataset.Dataset, error) {
	classes, err := n.Classes()
	if err != nil {
		return nil, err
	}
	set, err := dataset.OpenWith(spec, dataset.OpenOptions{Classes: classes})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return set, nil
}

// SHA256 returns the SHA-256 of the file of weights, in hexadecimal.
func (n *Network) SHA256() (string, error) { return weights.SHA256(n.File()) }

// Known fails unless the flags name a known architecture and do not contradict one another.
func (n *Network) Known() error {
	switch {
	case n.IsONNX() && n.Weights != "":
		return Usagef("--weights %s: %s has its own weights", n.Weights, n.Name)
	case n.IsONNX():
		return nil
	case n.Features != "" || n.Logits != "":
		return Usagef("--features and --logits choose nodes of an ONNX file, and --net %q is none", n.Name)
	}
	if _, err := nets.Size(n.Name, 1); err != nil {
		return UsageError{Err: err}
	}
	return nil
}

// Open returns the network with its weights. It fails where it is not known how to preprocess images for the network.
func (n *Network) Open() (nets.Classifier, error) {
	if err := Required(n.Needs()...); err != nil {
		return nil, err
	}
	net, err := n.read()
	if err != nil {
		return nil, err
	}
	return net, n.Prepares(net)
}

// Prepares fails unless it is known how to preprocess images for the network. For an ONNX file it writes how to stderr.
func (n *Network) Prepares(net nets.Classifier) error {
	p, known := nets.PreprocessingOf(net)
	if !known {
		return Usagef("--preprocess is required: %s does not say how images are prepared for it; "+
			"it takes one of %s, or a JSON file of mean, std, resize, interpolation, crop, channels and layout", n.Name,
			strings.Join(nets.Presets(), ", "))
	}
	if n.IsONNX() {
		n.say("images: %s", p)
	}
	return nil
}

// say writes a line about the network to the command's error stream.
func (n *Network) say(format string, args ...any) {
	fmt.Fprintf(n.stderr(), "%s: %s\n", Printable(filepath.Base(n.Name)), Printable(fmt.Sprintf(format, args...)))
}

func (n *Network) stderr() io.Writer {
	if n.cmd == nil {
		return io.Discard
	}
	return n.cmd.ErrOrStderr()
}

// read opens the network that the flags name. How to preprocess its images may remain unknown.
func (n *Network) read() (nets.Classifier, error) {
	if err := n.Known(); err != nil {
		return nil, err
	}
	if err := n.CheckFiles(); err != nil { // before reading the weights, which may be large
		return nil, err
	}
	if n.IsONNX() {
		p, err := n.preprocessing()
		if err != nil {
			return nil, err
		}
		net, err := onnx.Open(n.Name, onnx.Options{Features: n.Features, Logits: n.Logits, Preprocessing: p})
		if errors.Is(err, onnx.ErrNoNode) {
			return nil, UsageError{err}
		}
		if err != nil {
			return nil, err
		}
		for _, note := range net.Notes() {
			n.say("%s", note)
		}
		return net, nil
	}
	net, err := nets.Open(n.Name, n.Weights)
	if err != nil {
		return nil, err
	}
	return n.prepared(net)
}

// preprocessing returns the preprocessing that --preprocess names, the zero value without the flag.
func (n *Network) preprocessing() (p nets.Preprocessing, err error) {
	if n.Preprocess == "" {
		return p, nil
	}
	if p, err = nets.ParsePreprocessing(n.Preprocess); err != nil {
		return p, UsageError{Err: fmt.Errorf("--preprocess: %w", err)}
	}
	return p, nil
}

// CheckFiles fails where --preprocess is neither a preset nor a file that describes a preprocessing, or where
// --class-names is not a list of classes.
func (n *Network) CheckFiles() error {
	if _, err := n.preprocessing(); err != nil {
		return err
	}
	_, err := n.Classes()
	return err
}

// prepared returns the network with the preprocessing of --preprocess, if the flag is given.
func (n *Network) prepared(net *nets.Network) (nets.Classifier, error) {
	p, err := n.preprocessing()
	if err != nil || p == (nets.Preprocessing{}) {
		return net, err
	}
	other, err := net.WithPreprocessing(p)
	if err != nil {
		return nil, UsageError{Err: fmt.Errorf("--preprocess %s: %w", n.Preprocess, err)}
	}
	return other, nil
}

// OpenOrNew is Open for commands that prepare no images. Where the flags name no weights it returns a network with the
// given number of classes whose parameters are zero, and trained is false.
func (n *Network) OpenOrNew(classes int) (net nets.Classifier, trained bool, err error) {
	if n.File() != "" {
		if err := Required(n.Needs()...); err != nil {
			return nil, false, err
		}
		net, err = n.read()
		return net, true, err
	}
	if err := Required("--net", n.Name); err != nil {
		return nil, false, err
	}
	if err := n.Known(); err != nil {
		return nil, false, err
	}
	if err := n.CheckFiles(); err != nil {
		return nil, false, err
	}
	fresh, err := nets.New(n.Name, classes)
	if err != nil {
		return nil, false, UsageError{Err: err}
	}
	net, err = n.prepared(fresh)
	return net, false, err
}

// Detector reads a detector and returns it with its network. Where the flags name a network, the detector must belong
// to it.
func (n *Network) Detector(path string) (*line.Detector, nets.Classifier, error) {
	if err := n.CheckFiles(); err != nil {
		return nil, nil, err
	}
	if !n.Given() {
		det, err := line.Load(path)
		if err != nil {
			return nil, nil, err
		}
		net, err := n.as(det)
		return det, net, err
	}
	if err := Required(n.Needs()...); err != nil {
		return nil, nil, err
	}
	net, err := n.read() // read, not Open: the detector knows how to preprocess images
	if err != nil {
		return nil, nil, err
	}
	det, err := line.LoadFor(path, net)
	if err != nil {
		return nil, nil, err
	}
	net, err = n.as(det)
	return det, net, err
}

// as returns a detector's network with the detector's preprocessing.
func (n *Network) as(det *line.Detector) (nets.Classifier, error) {
	net, p := det.Network(), det.Preprocessing()
	if p == (nets.Preprocessing{}) {
		return nil,
			Usagef("--preprocess is required: neither the detector nor its network %s say how images are prepared",
				net.Name())
	}
	if net.Preprocessing() != p {
		net = prepared{net, p}
	}
	return net, nil
}

// prepared is a network with the preprocessing of its detector.
type prepared struct {
	nets.Classifier
	p nets.Preprocessing
}

func (n prepared) Preprocessing() nets.Preprocessing { return n.p }
