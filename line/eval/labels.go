package eval

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/line-ood/goline/dataset"
)

// ErrLabels is wrapped by the errors for labels that do not fit a network.
var ErrLabels = errors.New("labels do not suit the network")

// labelError is an error about labels whose text needs no prefix.
type labelError struct{ text string }

func (e labelError) Error() string { return e.text }
func (e labelError) Unwrap() error { return ErrLabels }

func labelf(format string, args ...any) error { return labelError{fmt.Sprintf(format, args...)} }

// CheckLabels returns an error that wraps ErrLabels where a label is not one of the network's classes. The set then
// has other classes than the network. It also returns one for a set of folders named by WordNet ids that has fewer
// classes than the network: its labels number the folders, and do not match the network's classes until
// [dataset.Relabel] has assigned them.
func CheckLabels(set dataset.Dataset, classes int) error {
	if n := len(set.Classes()); n < classes && dataset.HasWordNetClasses(set) {
		return labelf("%s: expected folders of the network's %d classes, got %d named by WordNet ids: a file of all "+
			"class names must say which they are", set.Name(), classes, n)
	}
	for i, label := range set.Labels() {
		if label >= classes {
			return labelf("%s: image %s: expected a label below the network's %d classes, got %s", set.Name(),
				set.ID(i), classes, named(set, label))
		}
	}
	return nil
}

// AlignClasses returns set with labels changed to those that fit gives to classes of the same names. For example, set
// may be a folder with some of the classes of the folder fit. Where one of the sets does not name its classes, or fit
// lacks a class of set, it returns set unchanged. Closing the result closes set.
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

// CheckTraining returns an error that wraps ErrLabels unless every image has a label and every class has an image.
// Methods that are fitted to labels need that.
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

// named describes a class by its number and, where the set knows it, its name.
func named(set dataset.Dataset, class int) string {
	if names := set.Classes(); class >= 0 && class < len(names) {
		return fmt.Sprintf("%d (%s)", class, names[class])
	}
	return fmt.Sprint(class)
}
