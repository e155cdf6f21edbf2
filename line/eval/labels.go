package eval

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/line-ood/goline/dataset"
)

// ErrLabels is wrapped by errors about labels that do not suit a network.
var ErrLabels = errors.New("labels do not suit the network")

// labelError is an error about labels; its text says it all.
type labelError struct{ text string }

func (e labelError) Error() string { return e.text }
func (e labelError) Unwrap() error { return ErrLabels }

func labelf(format string, args ...any) error { return labelError{fmt.Sprintf(format, args...)} }

// CheckLabels fails, wrapping ErrLabels, where a label is none of the network's classes: the set is of another kind
// than what the network learned. It fails too for folders named by WordNet ids that are fewer than the network's
// classes, numbered in their own order: their labels mean nothing until [dataset.Relabel] knows which class is which.
func CheckLabels(set dataset.Dataset, classes int) error {
	if n := len(set.Classes()); n < classes && dataset.HasWordNetClasses(set) {
		return labelf("%s: it has %d folders named by WordNet ids, but the network has %d classes: a file of all "+
			"class names must say which they are",
			set.Name(), n, classes)
	}
	for i, label := range set.Labels() {
		if label >= classes {
			return labelf("%s: image %s has label %s, but the network has %d classes", set.Name(), set.ID(i),
				named(set, label), classes)
		}
	}
	return nil
}

// AlignClasses returns set with the labels that fit gives to classes of the same names, where both sets name their
// classes and fit has every class of set: set may be a folder of some of the classes of the folder fit. Otherwise it
// returns set as it is. Closing the result closes set.
func AlignClasses(set, fit dataset.Dataset) dataset.Dataset {
	if set.Classes() == nil || fit.Classes() == nil || slices.Equal(set.Classes(), fit.Classes()) {
		return set
	}
	aligned, err := dataset.Relabel(set, dataset.ClassesOf(fit))
	if err != nil {
		return set
	}
	return aligned
}

// CheckTraining fails, wrapping ErrLabels, unless every image has a label and every class an image, as methods that are
// fitted to labels need.
func CheckTraining(set dataset.Dataset, classes int) error {
	if set.Labels() == nil {
		return labelf("%s: the images have no labels, which fitting needs", set.Name())
	}
	if err := CheckLabels(set, classes); err != nil {
		return err
	}
	seen := make([]bool, classes)
	for i, label := range set.Labels() {
		if label < 0 {
			return labelf("%s: image %s has no label, which fitting needs", set.Name(), set.ID(i))
		}
		seen[label] = true
	}
	var missing []string
	for class := range classes {
		if !seen[class] {
			missing = append(missing, named(set, class))
		}
	}
	const most = 10
	if n := len(missing); n > most {
		missing = append(missing[:most], fmt.Sprintf("and %d more", n-most))
	}
	if len(missing) > 0 {
		return labelf("%s: there are no images of class %s; fitting needs some of every class of the network",
			set.Name(), strings.Join(missing, ", "))
	}
	return nil
}

// named is a class with its name, where the set knows it.
func named(set dataset.Dataset, class int) string {
	if names := set.Classes(); class >= 0 && class < len(names) {
		return fmt.Sprintf("%d (%s)", class, names[class])
	}
	return fmt.Sprint(class)
}
