package nets

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/line-ood/goline/nets/weights"
)

// family is a set of architectures whose names differ in numbers.
type family struct {
	pattern *regexp.Regexp
	usage   string // the pattern as a person writes it
	// describe returns the network without its parameters; numbers are those of the name, 0 for one that is left out.
	describe func(numbers []float64, classes int) (*Network, error)
}

func families() []family {
	return []family{
		{regexp.MustCompile(`^densenet-bc-(\d+)-(\d+)(?:-r(\d+(?:\.\d+)?))?$`), "densenet-bc-DEPTH-GROWTH[-rREDUCTION]",
			func(n []float64, classes int) (*Network, error) {
				return describeDenseNetBC(DenseNetBCConfig{Depth: int(n[0]), Growth: int(n[1]), Reduction: n[2], Classes: classes})
			}},
		{regexp.MustCompile(`^resnet-cifar-(\d+)-(\d+)$`), "resnet-cifar-DEPTH-WIDTH",
			func(n []float64, classes int) (*Network, error) {
				return describeSmallResNet(SmallResNetConfig{Depth: int(n[0]), Width: int(n[1]), Classes: classes})
			}},
		{regexp.MustCompile(`^resnet-fashion-(\d+)-(\d+)$`), "resnet-fashion-DEPTH-WIDTH",
			func(n []float64, classes int) (*Network, error) {
				return describeSmallResNet(SmallResNetConfig{Depth: int(n[0]), Width: int(n[1]), Classes: classes, Fashion: true})
			}},
		{regexp.MustCompile(`^wrn-(\d+)-(\d+)(?:-d(\d+(?:\.\d+)?))?$`), "wrn-DEPTH-WIDEN[-dDROPOUT]",
			func(n []float64, classes int) (*Network, error) {
				return describeWideResNet(WideResNetConfig{Depth: int(n[0]), Widen: int(n[1]), Dropout: n[2], Classes: classes})
			}},
	}
}

// Names lists the known architectures, numbers as capital words: "densenet-bc-DEPTH-GROWTH[-rREDUCTION]".
func Names() []string {
	var out []string
	for _, f := range families() {
		out = append(out, f.usage)
	}
	return out
}

// maxNumber bounds the numbers in a name.
const maxNumber = 10_000

// New returns an architecture by name, for example "densenet-bc-100-12", with all parameters zero.
// An unknown name is an error that lists the known ones.
func New(name string, classes int) (*Network, error) {
	n, err := describe(name, classes)
	if err != nil {
		return nil, err
	}
	return n.allocate()
}

// Size returns the number of parameter values, buffers included, that New would allocate. Its errors are those of New.
func Size(name string, classes int) (int, error) {
	n, err := describe(name, classes)
	if err != nil {
		return 0, err
	}
	return n.layout.values, nil
}

func describe(name string, classes int) (*Network, error) {
	for _, f := range families() {
		m := f.pattern.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		numbers := make([]float64, len(m)-1)
		for i, s := range m[1:] {
			if s == "" {
				continue
			}
			v, err := strconv.ParseFloat(s, 64)
			if err != nil || v > maxNumber {
				return nil, fmt.Errorf("network %q: %s is out of range", name, s)
			}
			numbers[i] = v
		}
		n, err := f.describe(numbers, classes)
		if err != nil {
			return nil, fmt.Errorf("network %q: %w", name, err)
		}
		return n, nil
	}
	return nil, fmt.Errorf("unknown network %q; known: %s", name, strings.Join(Names(), ", "))
}

// Open returns an architecture with the weights of a file, whose format is detected (see package weights). The number of
// classes is that of the file's last layer. Errors name the path and, for weights that do not fit, every tensor in question.
func Open(name, path string) (*Network, error) {
	n, err := describe(name, 1)
	if err != nil {
		return nil, err
	}
	sd, err := weights.Read(path)
	if err != nil {
		return nil, err
	}
	classes := 1
	if w, ok := sd.Get(n.head + ".weight"); ok && len(w.Shape) == 2 && w.Shape[0] > 0 {
		classes = w.Shape[0]
	}
	if n, err = New(name, classes); err != nil {
		return nil, fmt.Errorf("load weights %s: %w", path, err)
	}
	if err := weights.Load(n.params, sd); err != nil {
		return nil, fmt.Errorf("load weights %s into %s: %w", path, name, err)
	}
	return n, nil
}
