package posthoc

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"
)

// Parameter describes one setting of a method. Values lie in [Min, Max], Min excluded if Open.
type Parameter struct {
	Name              string
	Default, Min, Max float64
	Open              bool
	Grid              []float64 // the values that a search tries; nil means that the default is not searched for
	Doc               string    // one line
}

// Kind is a method that can be made by name.
type Kind struct {
	Name   string
	Params []Parameter
	// New makes the method, not fitted. params holds a value within its range for each of Params; workers is at least 1.
	New func(params map[string]float64, workers int) (Method, error)
}

// registered holds the kinds that other packages added.
var registered struct {
	sync.RWMutex
	kinds []Kind
}

// Register makes a method known by name to [New], and with it to every command and report: call it from an init function,
// as package line does for LINe. It panics, because that is a mistake in the program, for a kind without a name or New, for a
// name that is taken, and for a parameter whose default or grid lies outside its range.
func Register(k Kind) {
	if k.Name == "" || k.New == nil {
		panic("posthoc: Register of a kind without a name or without New")
	}
	for _, p := range k.Params {
		for _, v := range append([]float64{p.Default}, p.Grid...) {
			if err := p.check(v); err != nil {
				panic(fmt.Sprintf("posthoc: Register %s: %v", k.Name, err))
			}
		}
	}
	registered.Lock()
	defer registered.Unlock()
	for _, other := range append(builtin(), registered.kinds...) {
		if other.Name == k.Name {
			panic(fmt.Sprintf("posthoc: Register: %q is known already", k.Name))
		}
	}
	registered.kinds = append(registered.kinds, k)
}

// builtin returns the methods of this package in the order in which they are listed to people.
func builtin() []Kind {
	return []Kind{
		{"msp", nil, always(newMSP)},
		{"maxlogit", nil, always(newMaxLogit)},
		{"energy", energyParams, always(newEnergy)},
		{"react", reactParams, always(newReact)},
		{"dice", diceParams, always(newDice)},
	}
}

// always is New of a kind that can always be made.
func always(f func(map[string]float64, int) Method) func(map[string]float64, int) (Method, error) {
	return func(params map[string]float64, workers int) (Method, error) { return f(params, workers), nil }
}

// Kinds lists the known methods: those of this package, and then the registered ones in the order of their names.
func Kinds() []Kind {
	registered.RLock()
	defer registered.RUnlock()
	others := slices.SortedFunc(slices.Values(registered.kinds), func(a, b Kind) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return append(builtin(), others...)
}

// Names lists the names of the known methods, see [Kinds].
func Names() []string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// Parameters lists the settings of a method. It errors for an unknown name.
func Parameters(name string) ([]Parameter, error) {
	k, err := lookUp(name)
	return slices.Clone(k.Params), err
}

// New returns the method of that name. It errors for an unknown name and then lists the known ones, and for a
// parameter that the method does not have or that lies outside its range.
func New(name string, o Options) (Method, error) {
	k, err := lookUp(name)
	if err != nil {
		return nil, err
	}
	if o.Workers < 0 {
		return nil, fmt.Errorf("posthoc: %s: expected 0 or more workers, got %d", name, o.Workers)
	}
	params := map[string]float64{}
	var known []string
	for _, p := range k.Params {
		known = append(known, p.Name)
		params[p.Name] = p.Default
	}
	for _, key := range slices.Sorted(maps.Keys(o.Params)) {
		i := slices.Index(known, key)
		if i < 0 {
			return nil, fmt.Errorf("posthoc: %s has no parameter %q, known: %s", name, key, list(known))
		}
		if err := k.Params[i].check(o.Params[key]); err != nil {
			return nil, fmt.Errorf("posthoc: %s: %w", name, err)
		}
		params[key] = o.Params[key]
	}
	workers := o.Workers
	if workers == 0 {
		workers = defaultWorkers()
	}
	return k.New(params, workers)
}

func lookUp(name string) (Kind, error) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("posthoc: unknown method %q, known: %s", name, list(Names()))
}

func defaultWorkers() int { return runtime.GOMAXPROCS(0) }

func (p Parameter) check(v float64) error {
	bracket := "["
	if p.Open {
		bracket = "("
	}
	if !(v >= p.Min && v <= p.Max) || p.Open && v == p.Min || math.IsInf(v, 0) {
		return fmt.Errorf("parameter %s = %v is outside %s%v, %v]", p.Name, v, bracket, p.Min, p.Max)
	}
	return nil
}
