package nets

import (
	"fmt"

	"github.com/line-ood/goline/graph"
)

// maxValues bounds the parameter values of a network, 4 GiB of them, so that a typing error in a name, or a file that lies,
// does not ask for all the memory there is.
const maxValues = 1 << 30

// layout lists the parameters of an architecture, in the order of the state dict, before memory is taken for them.
type layout struct {
	specs  []spec
	values int // of all parameters together
	names  map[string]bool
	err    error
}

type spec struct {
	name   string
	shape  []int
	buffer bool
}

func (l *layout) declare(buffer bool, name string, shape ...int) {
	if l.err != nil {
		return
	}
	if l.names[name] {
		l.err = fmt.Errorf("parameter %q is declared twice", name)
		return
	}
	n := 1
	for _, d := range shape {
		if d < 1 || d > maxValues/n {
			l.err = fmt.Errorf("parameter %s of shape %v is empty or too large", name, shape)
			return
		}
		n *= d
	}
	if l.values += n; l.values > maxValues {
		l.err = fmt.Errorf("more than %d parameter values", maxValues)
		return
	}
	if l.names == nil {
		l.names = map[string]bool{}
	}
	l.names[name] = true
	l.specs = append(l.specs, spec{name, shape, buffer})
}

func (l *layout) conv(name string, out, in, kernel int) {
	l.declare(false, name+".weight", out, in, kernel, kernel)
}

func (l *layout) batchNorm(name string, channels int) {
	l.declare(false, name+".weight", channels)
	l.declare(false, name+".bias", channels)
	l.declare(true, name+".running_mean", channels)
	l.declare(true, name+".running_var", channels)
}

func (l *layout) linear(name string, out, in int) {
	l.declare(false, name+".weight", out, in)
	l.declare(false, name+".bias", out)
}

func (l *layout) allocate() ([]*graph.Param, error) {
	if l.err != nil {
		return nil, l.err
	}
	params := make([]*graph.Param, len(l.specs))
	for i, s := range l.specs {
		params[i] = graph.NewParam(s.name, s.shape...)
		params[i].Buffer = s.buffer
	}
	return params, nil
}
