package posthoc

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Parameter describes one parameter of a method. Values lie in [Min, Max]; Min itself is excluded if Open.
type Parameter struct {
	Name    string  // what New takes: "temperature" for example
	Default float64 // the value where none is given, the authors' where they say one
	Min     float64 // the lowest value, -Inf for no bound
	Max     float64 // the highest value, +Inf for no bound
	Open    bool    // whether Min itself is excluded
	Whole   bool    // only whole numbers
	// Grid holds the values that a search tries, published ones where there are some; with nil a search leaves the
	// parameter at its default.
	Grid  []float64
	Doc   string // one line
	Alias string // another name that New takes; "" for none
}

// Fitting says what kind of samples a method must be fitted on.
type Fitting int

// What methods are fitted on.
const (
	Nothing Fitting = iota // any samples: Fit uses the head alone, or nothing
	ID                     // in-distribution samples
	Labels                 // labelled in-distribution samples
)

// String returns the words that tables and the command line show.
func (f Fitting) String() string {
	return [...]string{"nothing", "ID samples", "labelled ID samples"}[f]
}

// Kind is a method that can be made by name.
type Kind struct {
	Name   string      // what New takes; without "+", which joins the names of a composition
	Params []Parameter // its settings, in the order of tables; nil for none
	Doc    string      // one line: what the score is
	Source string      // the paper: authors, venue and year
	// FittedOn says what samples Fit must be given. With [Labels] a method made from Part refuses samples of which none
	// has a label; single labels may still be -1, and there may be classes without samples. Unless it is [Nothing], the
	// Part has a shaper, or a scorer that is [Stateful].
	FittedOn Fitting
	// Part makes the kind's part of a composition, not fitted. params holds a value in range for each of Params;
	// workers is at least 1. Part is nil for a kind that cannot be composed.
	Part func(params map[string]float64, workers int) (Part, error)
	// New makes the method, not fitted; nil stands for a method made from Part.
	New func(params map[string]float64, workers int) (Method, error)
	// Slow marks a kind that is too slow to be included in "all" methods: it is made only where it is named.
	Slow bool

	parts []Kind // parts of a composition
}

// registered holds the kinds that other packages added by [Register].
var registered struct {
	sync.RWMutex
	kinds []Kind
}

// Register adds a kind of method, so that [New], package eval, reports and line.FitMethod know it by its name. Call it
// from an init function, as package line does for LINe. Every program that loads a detector of this kind must register
// the kind, too. The command goline knows the kinds of the packages that it is built from: in a clone of this module,
// an import of your package in cmd/goline/main.go adds yours to all commands.
//
// It panics for a kind without a name or without both New and Part, for a name that is taken, and for a parameter whose
// default or grid lies outside its range, because these are mistakes in the program.
func Register(k Kind) {
	if k.Name == "" || k.New == nil && k.Part == nil {
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

// builtin returns the methods of this package in the order in which they are shown to people.
func builtin() []Kind {
	kinds := []Kind{
		msp, maxLogit, energy, gen, klm, react, dice,
		ashP, ashB, ashS, scale, lts, vra,
		knn, nnguide, mds, mdsPlus, rmds, rmdsPlus, vim, residual, she, fdbd, nci, gradNorm, cadref, caref,
		vraPlusPlus, entropy, relation, optFS,
		odin, rankFeat, adascaleA, adascaleL, davis, davisMax, ras, tempScale, weiperMSP, weiperKLD, neco, nac, gram,
	}
	both, err := compositionOf("dice+react", kinds)
	if err != nil {
		panic(err)
	}
	return slices.Insert(kinds, 1+slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == "dice" }), both)
}

// Kinds lists the known methods: those of this package, followed by the registered ones in the order of their names.
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

// Parameters lists the parameters of a method. An unknown name is an error.
func Parameters(name string) ([]Parameter, error) {
	k, err := LookUp(name)
	return slices.Clone(k.Params), err
}

// New returns the method of that name, see [Kinds], or a composition with a name such as "react+dice" or "scale+knn":
// the shapers of all its parts, in that order, and the scorer of the part that has one, otherwise the energy. A
// composition's parameters are named PART.NAME. Errors are an unknown name, for which the known ones are listed, a
// composition with two scorers, and a parameter that the method does not have or that is out of range.
func New(name string, o Options) (Method, error) {
	k, err := LookUp(name)
	if err != nil {
		return nil, err
	}
	if o.Workers < 0 {
		return nil, fmt.Errorf("posthoc: %s: expected 0 or more workers, got %d", name, o.Workers)
	}
	params, err := k.settings(o.Params)
	if err != nil {
		return nil, err
	}
	workers := o.Workers
	if workers == 0 {
		workers = defaultWorkers()
	}
	if k.New != nil {
		return k.New(params, workers)
	}
	return k.compose(params, workers)
}

// settings returns a value for each parameter: the given one, after a check, or the default.
func (k Kind) settings(given map[string]float64) (map[string]float64, error) {
	params := map[string]float64{}
	var known []string
	for _, p := range k.Params {
		known = append(known, p.Name)
		params[p.Name] = p.Default
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(k.Params, func(p Parameter) bool { return p.Name == key || p.Alias == key && key != "" })
		if i < 0 {
			return nil, fmt.Errorf("posthoc: %s: parameter: expected %s, got %q", k.Name, oneOf(known), key)
		}
		if err := k.Params[i].check(given[key]); err != nil {
			return nil, fmt.Errorf("posthoc: %s: %w", k.Name, err)
		}
		params[k.Params[i].Name] = given[key]
	}
	return params, nil
}

// LookUp returns the kind of that name, or a composition with that name. An unknown name is an error that lists the
// known ones.
func LookUp(name string) (Kind, error) {
	kinds := Kinds()
	for _, k := range kinds {
		if k.Name == name {
			return k, nil
		}
	}
	if strings.Contains(name, "+") {
		return compositionOf(name, kinds)
	}
	return Kind{}, fmt.Errorf("posthoc: method: expected %s, got %q", oneOf(Names()), name)
}

func defaultWorkers() int { return runtime.GOMAXPROCS(0) }

func (p Parameter) check(v float64) error {
	bracket := "["
	if p.Open {
		bracket = "("
	}
	if p.Whole && v != math.Trunc(v) {
		return fmt.Errorf("parameter %s: expected a whole number, got %v", p.Name, v)
	}
	if !(v >= p.Min && v <= p.Max) || p.Open && v == p.Min || math.IsInf(v, 0) {
		return fmt.Errorf("parameter %s: expected a value in %s%v, %v], got %v", p.Name, bracket, p.Min, p.Max, v)
	}
	return nil
}
