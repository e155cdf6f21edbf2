package nets

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/line-ood/goline/internal/fsfile"
	"github.com/line-ood/goline/nets/weights"
)

// family is a set of architectures with numbers in their names.
type family struct {
	pattern *regexp.Regexp
	usage   string // the pattern in readable form
	// define describes the network for the numbers in the name, 0 for one that is left out.
	define func(numbers []float64, classes int) (Definition, error)
}

func families() []family {
	return []family{
		{regexp.MustCompile(`^densenet-bc-(\d+)-(\d+)(?:-r(\d+(?:\.\d+)?))?$`), "densenet-bc-DEPTH-GROWTH[-rREDUCTION]",
			func(n []float64, classes int) (Definition, error) {
				return DenseNetBCConfig{Depth: int(n[0]), Growth: int(n[1]), Reduction: n[2],
					Classes: classes}.definition()
			}},
		{regexp.MustCompile(`^resnet-cifar-(\d+)-(\d+)$`), "resnet-cifar-DEPTH-WIDTH",
			func(n []float64, classes int) (Definition, error) {
				return SmallResNetConfig{Depth: int(n[0]), Width: int(n[1]), Classes: classes}.definition()
			}},
		{regexp.MustCompile(`^resnet-fashion-(\d+)-(\d+)$`), "resnet-fashion-DEPTH-WIDTH",
			func(n []float64, classes int) (Definition, error) {
				return SmallResNetConfig{Depth: int(n[0]), Width: int(n[1]), Classes: classes,
					Fashion: true}.definition()
			}},
		{regexp.MustCompile(`^wrn-(\d+)-(\d+)(?:-d(\d+(?:\.\d+)?))?$`), "wrn-DEPTH-WIDEN[-dDROPOUT]",
			func(n []float64, classes int) (Definition, error) {
				return WideResNetConfig{Depth: int(n[0]), Widen: int(n[1]), Dropout: n[2],
					Classes: classes}.definition()
			}},
	}
}

// Names returns the known architectures. Names with capital words, such as "densenet-bc-DEPTH-GROWTH[-rREDUCTION]", are
// patterns in which numbers take the words' places; all others, such as "resnet50", are complete names.
func Names() []string {
	var out []string
	for _, f := range families() {
		out = append(out, f.usage)
	}
	for _, a := range architectures() {
		out = append(out, a.name)
	}
	return out
}

// maxNumber is the largest number in a name.
const maxNumber = 10_000

// ErrUnknown is the cause of errors of [New], [Open] and [Size] about a name that is not one of [Names].
var ErrUnknown = errors.New("unknown network")

// New returns an architecture by name, for example "densenet-bc-100-12", with all parameters zero.
// An unknown name is an error that lists the known ones and wraps [ErrUnknown].
func New(name string, classes int) (*Network, error) {
	n, err := named(name, classes)
	if err != nil {
		return nil, err
	}
	return n.allocate(), nil
}

// Size returns the number of parameter values, including buffers, that [New] would allocate. Its errors are those of
// New.
func Size(name string, classes int) (int, error) {
	n, err := named(name, classes)
	if err != nil {
		return 0, err
	}
	return n.size(), nil
}

// named returns the network of the given name without its parameters.
func named(name string, classes int) (*Network, error) {
	d, err := definitionOf(name, classes)
	if err != nil {
		return nil, err
	}
	n, err := describe(d)
	if err != nil {
		return nil, fmt.Errorf("nets: network %q: %w", name, err)
	}
	return n, nil
}

func definitionOf(name string, classes int) (Definition, error) {
	for _, a := range architectures() {
		if a.name == name {
			return a.define(name, classes), nil
		}
	}
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
				return Definition{}, fmt.Errorf("nets: network %q: expected numbers of at most %d, got %s", name,
					maxNumber, s)
			}
			numbers[i] = v
		}
		d, err := f.define(numbers, classes)
		if err != nil {
			return Definition{}, fmt.Errorf("nets: network %q: %w", name, err)
		}
		return d, nil
	}
	return Definition{}, fmt.Errorf("nets: %w: expected one of %s, got %q", ErrUnknown, strings.Join(Names(), ", "),
		name)
}

// Open returns an architecture with the weights in a file, whose format is detected (see package weights). The number
// of classes is that of the file's last layer. Errors name the path and, if the weights do not fit, all tensors that do
// not. An error about an unknown name wraps [ErrUnknown].
func Open(name, path string) (*Network, error) { return OpenFS(fsfile.Disk(), name, path) }

// OpenFS is [Open] for a file of weights in fsys, such as an embedded one.
func OpenFS(fsys fs.FS, name, path string) (*Network, error) {
	n, err := named(name, 1)
	if err != nil {
		return nil, err
	}
	sd, err := weights.ReadFS(fsys, path)
	if err != nil {
		return nil, err
	}
	if w, ok := sd.Get(n.d.Head + ".weight"); ok && len(w.Shape) == 2 && w.Shape[0] > 1 {
		if n, err = named(name, w.Shape[0]); err != nil {
			return nil, fmt.Errorf("load weights %s: %w", path, err)
		}
	}
	if err := weights.Load(n.allocate().params, sd); err != nil {
		return nil, fmt.Errorf("load weights %s into %s: %w", path, name, err)
	}
	return n, nil
}
