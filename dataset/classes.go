package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Class is one class of a network, with its names in data and for people.
type Class struct {
	// ID is the name of the class's folder, for example a WordNet id such as "n01440764".
	ID string
	// Name is a name for people, for example "tench".
	Name string
}

// maxClassFile bounds the size of a class file, 64 MiB.
const maxClassFile = 64 << 20

// ReadClasses reads the classes of a network from a text file with a line for each, in the order of their indices:
//
//	n01440764 tench
//
// In a line that begins with a WordNet id (an n and eight digits), the name follows after a space or a tab, as in
// ImageNet's lists. In other lines a tab separates ID and name, and a line without a tab is both. Empty lines at the
// end are ignored. An empty line before them, a line that is not UTF-8, and an ID that occurs twice are errors, which
// name the file and the line.
func ReadClasses(path string) ([]Class, error) {
	data, err := disk().read(path, maxClassFile)
	if err != nil {
		return nil, fmt.Errorf("class names: %w", err)
	}
	classes, err := parseClasses(path, string(data))
	if err != nil {
		return nil, fmt.Errorf("class names: %w", err)
	}
	return classes, nil
}

func parseClasses(file, text string) ([]Class, error) {
	text = strings.TrimRight(strings.TrimPrefix(text, byteOrderMark), " \t\r\n")
	if text == "" {
		return nil, fmt.Errorf("%s: expected a line for each class, got none", file)
	}
	var classes []Class
	seen := map[string]int{}
	for line := range strings.SplitSeq(text, "\n") {
		n := len(classes) + 1
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			return nil, fmt.Errorf("%s:%d: expected a class, got an empty line", file, n)
		case !utf8.ValidString(line):
			return nil, fmt.Errorf("%s:%d: expected a class in UTF-8", file, n)
		}
		c := parseClass(line)
		if first, twice := seen[c.ID]; twice {
			return nil, fmt.Errorf("%s:%d: class %s is in line %d too", file, n, c.ID, first)
		}
		seen[c.ID] = n
		classes = append(classes, c)
	}
	return classes, nil
}

// byteOrderMark is what some editors write at the beginning of a file.
const byteOrderMark = "\uFEFF"

// parseClass reads a line without white space around it.
func parseClass(line string) Class {
	separator := "\t"
	if len(line) > wordNetLen && isWordNetID(line[:wordNetLen]) && strings.IndexByte(" \t", line[wordNetLen]) >= 0 {
		separator = line[wordNetLen : wordNetLen+1]
	}
	id, name, found := strings.Cut(line, separator)
	id, name = strings.TrimSpace(id), strings.TrimSpace(name)
	if !found || name == "" {
		name = id
	}
	return Class{ID: id, Name: name}
}

// wordNetLen is the length of a WordNet id.
const wordNetLen = 9

// isWordNetID reports whether a name has the form of a WordNet id of a noun, such as n01440764.
func isWordNetID(name string) bool {
	return len(name) == wordNetLen && name[0] == 'n' && strings.Trim(name[1:], "0123456789") == ""
}

// HasWordNetClasses reports whether all classes of a set are named by WordNet ids, as are the folders of ImageNet.
// The labels of such a set follow the order of its ids, which is the order of a network's classes only if the set has
// all of them.
func HasWordNetClasses(d Dataset) bool {
	for _, name := range d.Classes() {
		if !isWordNetID(name) {
			return false
		}
	}
	return len(d.Classes()) > 0
}

// ClassNames returns names of the classes for people. All are different: where two classes have the same name, the ID
// is added in brackets.
func ClassNames(classes []Class) []string {
	count := map[string]int{}
	for _, c := range classes {
		count[c.Name]++
	}
	names := make([]string, len(classes))
	for i, c := range classes {
		if names[i] = c.Name; count[c.Name] > 1 && c.ID != c.Name {
			names[i] = fmt.Sprintf("%s (%s)", c.Name, c.ID)
		}
	}
	return names
}

// ClassesOf returns the classes of a set in the form that [Relabel] takes, with names that are also the IDs. It is
// nil where the set does not name its classes.
func ClassesOf(d Dataset) []Class {
	var classes []Class
	for _, name := range d.Classes() {
		classes = append(classes, Class{ID: name, Name: name})
	}
	return classes
}

// relabelled is a set with other class indices.
type relabelled struct {
	Dataset
	labels  []int
	classes []string
}

func (r *relabelled) Labels() []int     { return r.labels }
func (r *relabelled) Classes() []string { return r.classes }

func (r *relabelled) imageInto(i int, s *scratch) (Image, error) {
	return imageInto(r.Dataset, i, s)
}

// Relabel returns the set with labels that are indices of the given classes, and with their names (see [ClassNames]).
// A class of the set is the one whose ID is the class's name in the set, otherwise the only one with that Name. The
// set need not have all of the classes. The labels of a set that does not name its classes are taken to be indices
// already. A set without labels is returned unchanged. Closing the result closes d.
//
// It is an error if the set has a class, or a label, that is not among the classes.
func Relabel(d Dataset, classes []Class) (Dataset, error) {
	if d.Labels() == nil {
		return d, nil
	}
	index, err := classIndex(d, classes)
	if err != nil {
		return nil, err
	}
	r := &relabelled{Dataset: d, labels: make([]int, d.Len()), classes: ClassNames(classes)}
	for i, label := range d.Labels() {
		if index != nil && label >= 0 {
			label = index[label]
		}
		if err := checkLabel(label, len(classes)); err != nil {
			return nil, fmt.Errorf("%s: image %s: %w", describe(d), d.ID(i), err)
		}
		r.labels[i] = label
	}
	return r, nil
}

// classIndex returns the index of each of the set's classes among the given ones, nil for a set that does not name
// its classes.
func classIndex(d Dataset, classes []Class) ([]int, error) {
	if d.Classes() == nil {
		return nil, nil
	}
	byID, byName, count := map[string]int{}, map[string]int{}, map[string]int{}
	for i, c := range classes {
		byID[c.ID], byName[c.Name] = i, i
		count[c.Name]++
	}
	index := make([]int, len(d.Classes()))
	for k, name := range d.Classes() {
		var found bool
		if index[k], found = byID[name]; found {
			continue
		}
		if index[k], found = byName[name]; !found {
			return nil, fmt.Errorf("%s: class %s is none of the %d classes given, which begin with %s", describe(d),
				name, len(classes), abridge(idsOf(classes)))
		}
		if count[name] > 1 {
			return nil, fmt.Errorf("%s: class %s: expected an ID, got the name of %d of the classes given", describe(d),
				name, count[name])
		}
	}
	return index, nil
}

func idsOf(classes []Class) []string {
	ids := make([]string, len(classes))
	for i, c := range classes {
		ids[i] = c.ID
	}
	return ids
}
