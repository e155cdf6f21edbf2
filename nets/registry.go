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
	build   func(numbers []int, classes int) (*Network, error)
}

func families() []family {
	return []family{
		{regexp.MustCompile(`^densenet-bc-(\d+)-(\d+)$`), "densenet-bc-DEPTH-GROWTH", func(n []int, classes int) (*Network, error) {
			return DenseNetBC(DenseNetBCConfig{Depth: n[0], Growth: n[1], Classes: classes})
		}},
	}
}

// Names lists the known architectures, numbers as capital words: "densenet-bc-DEPTH-GROWTH".
func Names() []string {
	var out []string
	for _, f := range families() {
		out = append(out, f.usage)
	}
	return out
}

// maxNumber bounds the numbers in a name, so that a typing error does not ask for all the memory there is.
const maxNumber = 10_000

// New returns an architecture by name, for example "densenet-bc-100-12", with all parameters zero.
// An unknown name is an error that lists the known ones.
func New(name string, classes int) (*Network, error) {
	for _, f := range families() {
		m := f.pattern.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		var numbers []int
		for _, s := range m[1:] {
			v, err := strconv.Atoi(s)
			if err != nil || v > maxNumber {
				return nil, fmt.Errorf("network %q: %s is out of range", name, s)
			}
			numbers = append(numbers, v)
		}
		n, err := f.build(numbers, classes)
		if err != nil {
			return nil, fmt.Errorf("network %q: %w", name, err)
		}
		return n, nil
	}
	return nil, fmt.Errorf("unknown network %q; known: %s", name, strings.Join(Names(), ", "))
}

// Open returns an architecture with the weights of a file, whose format is detected (see package weights). The number of
// classes is that of the file's last layer.
func Open(name, path string) (*Network, error) {
	probe, err := New(name, 1)
	if err != nil {
		return nil, err
	}
	sd, err := weights.Read(path)
	if err != nil {
		return nil, err
	}
	classes := 1
	if w, ok := sd.Get(probe.head + ".weight"); ok && len(w.Shape) == 2 && w.Shape[0] > 0 {
		classes = w.Shape[0]
	}
	n, err := New(name, classes)
	if err != nil {
		return nil, err
	}
	if err := weights.Load(n.params, sd); err != nil {
		return nil, fmt.Errorf("%s does not fit network %s: %w", path, name, err)
	}
	return n, nil
}
