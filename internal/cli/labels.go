package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/line-ood/goline/dataset"
)

// checkLabels fails where a label is none of the network's classes: the set is of another kind than what the network learned.
func checkLabels(flag string, set dataset.Dataset, classes int) error {
	for i, label := range set.Labels() {
		if label >= classes {
			return fmt.Errorf("%s %s: image %s has label %s, but the network has %d classes",
				flag, set.Name(), set.ID(i), named(set, label), classes)
		}
	}
	return nil
}

// checkTraining fails unless every image has a label and every class an image, as LINe needs.
func checkTraining(flag string, set dataset.Dataset, classes int) error {
	if set.Labels() == nil {
		return fmt.Errorf("%s %s: the images have no labels, which LINe needs", flag, set.Name())
	}
	if err := checkLabels(flag, set, classes); err != nil {
		return err
	}
	seen := make([]bool, classes)
	for i, label := range set.Labels() {
		if label < 0 {
			return fmt.Errorf("%s %s: image %s has no label, which LINe needs", flag, set.Name(), set.ID(i))
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
		return fmt.Errorf("%s %s: there are no images of class %s; LINe needs some of every class of the network",
			flag, set.Name(), strings.Join(missing, ", "))
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

// labelled returns the labels of a set, nil where none is known.
func labelled(set dataset.Dataset) []int {
	if slices.ContainsFunc(set.Labels(), func(l int) bool { return l >= 0 }) {
		return set.Labels()
	}
	return nil
}
