package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/line/eval"
)

// Names of the flags that name sets of images. --near and --far name out-of-distribution sets in a group of that name.
const (
	FlagOOD  = "ood"
	FlagNear = "near"
	FlagFar  = "far"
	FlagCSID = "csid"
)

// SetFlags holds the NAME=DATA arguments of several flags, in the order of the command line.
type SetFlags []SetFlag

// SetFlag is one such argument.
type SetFlag struct{ Flag, Argument string }

// Register adds a flag with the given name to a command's flags; its arguments are appended to s.
func (s *SetFlags) Register(f *pflag.FlagSet, flag, usage string) {
	f.Var(setValue{s, flag}, flag, usage)
}

// Add appends a set as if it were on the command line.
func (s *SetFlags) Add(flag, name, data string) { *s = append(*s, SetFlag{flag, name + "=" + data}) }

// Has tells whether a flag was given.
func (s SetFlags) Has(flag string) bool {
	return slices.ContainsFunc(s, func(f SetFlag) bool { return f.Flag == flag })
}

// setValue is the value of one of the flags.
type setValue struct {
	to   *SetFlags
	flag string
}

func (v setValue) String() string { return "" }
func (v setValue) Type() string   { return "NAME=DATA" }
func (v setValue) Set(argument string) error {
	*v.to = append(*v.to, SetFlag{v.flag, argument})
	return nil
}

// parse returns the out-of-distribution sets, and the in-distribution sets with covariate shift.
func (s SetFlags) parse() (ood, csid []NamedData, err error) {
	seen := map[bool]map[string]bool{true: {}, false: {}}
	for _, f := range s {
		d, err := ParseNamedData("--"+f.Flag, f.Argument)
		if err != nil {
			return nil, nil, err
		}
		shifted := f.Flag == FlagCSID
		if seen[shifted][d.Name] {
			return nil, nil, Usagef("--%s: two sets are named %q", f.Flag, d.Name)
		}
		seen[shifted][d.Name] = true
		switch {
		case shifted:
			csid = append(csid, d)
			continue
		case d.Name == "average" || strings.HasPrefix(d.Name, "average "):
			return nil, nil, Usagef("--%s: a set cannot be named %q, as the table's last column", f.Flag, d.Name)
		case f.Flag != FlagOOD:
			d.Group = f.Flag
		}
		ood = append(ood, d)
	}
	return ood, csid, nil
}

// ParseNamedData splits NAME=DATA.
func ParseNamedData(flag, argument string) (NamedData, error) {
	name, spec, ok := strings.Cut(argument, "=")
	if !ok || name == "" || spec == "" {
		return NamedData{}, Usagef("%s %q: expected NAME=DATA", flag, argument)
	}
	return NamedData{Name: name, Spec: spec, flag: flag}, nil
}

// ImageSet is an opened DATA argument.
type ImageSet struct {
	dataset.Dataset
	Kept string // its name in progress and among kept features
	Flag string // its name in errors
}

// openSets opens all sets and checks their labels.
func (e *Evaluation) openSets(labels func(set dataset.Dataset, classes int) error) error {
	add := func(name, flag string, open func() (dataset.Dataset, error)) error {
		set, err := open()
		if err == nil {
			e.Images = append(e.Images, ImageSet{set, name, flag})
		}
		return err
	}
	if err := add("fit", "--fit", func() (dataset.Dataset, error) { return e.Net.Data("--fit", e.Fit) }); err != nil {
		return err
	}
	known := func(name, flag, spec string) error {
		return add(name, flag, func() (dataset.Dataset, error) { return e.OpenID(flag, spec) })
	}
	if err := known("id", "--id", e.ID); err != nil {
		return err
	}
	for _, s := range e.CSID {
		if err := known("csid-"+s.Name, s.flag+" "+s.Name, s.Spec); err != nil {
			return err
		}
	}
	for _, s := range e.Sets {
		if err := add("ood-"+s.Name, s.flag+" "+s.Name, func() (dataset.Dataset, error) {
			return OpenOOD(s)
		}); err != nil {
			return err
		}
	}
	if err := labels(e.Images[0].Dataset, e.Network.Classes()); err != nil {
		return fmt.Errorf("--fit %w", err)
	}
	for _, set := range e.Images[1 : 2+len(e.CSID)] {
		if err := eval.CheckLabels(set.Dataset, e.Network.Classes()); err != nil {
			return fmt.Errorf("%s %w", set.Flag, err)
		}
	}
	return nil
}

// OpenID opens a set of images of the network's classes. The set of --fit must be open already.
func (e *Evaluation) OpenID(flag, spec string) (dataset.Dataset, error) {
	set, err := e.Net.Data(flag, spec)
	if err != nil || e.Net.ClassNames != "" {
		return set, err
	}
	return eval.AlignClasses(set, e.Images[0].Dataset), nil
}

// OpenOOD opens a set of images of other classes than the network's.
func OpenOOD(s NamedData) (dataset.Dataset, error) {
	set, err := dataset.Open(s.Spec)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", s.flag, s.Name, err)
	}
	return set, nil
}
