package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Class is one class of a network: what data call it and what people do.
type Class struct {
	// ID is what folders are called, for example a WordNet id such as "n01440764".
	ID string
	// Name is for people: "tench".
	Name string
}

// maxClassFile bounds the size of a class file, 64 MiB.
const maxClassFile = 64 << 20

// ReadClasses reads the classes of a network from a text file with a line for each, in the order of their indices:
//
//	n01440764 tench
//
// A line that begins with a WordNet id, an n and eight digits, holds the name behind a space or a tab, as in ImageNet's
// lists. In other lines a tab separates the two, and a line without a tab is ID and name in one. Empty lines at the end
// do not count. Errors name the file and the line: one that is empty or not UTF-8, an ID that comes twice.
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

// byteOrderMark begins files of some editors.
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

// isWordNetID tells whether a name is the WordNet id of a noun, such as n01440764.
func isWordNetID(name string) bool {
	return len(name) == wordNetLen && name[0] == 'n' && strings.Trim(name[1:], "0123456789") == ""
}

// HasWordNetClasses tells whether the classes of a set are named by WordNet ids alone, as folders of ImageNet are. Its
// labels then follow the order of the ids in the set, which is that of a network only if the set has all of the
// network's classes.
func HasWordNetClasses(d Dataset) bool {
	for _, name := range d.Classes() {
		if !isWordNetID(name) {
			return false
		}
	}
	return len(d.Classes()) > 0
}

// ClassNames returns names of classes for people, all different: where two classes have one name, the ID stands behind
// it in brackets.
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

// ClassesOf returns the classes of a set as [Relabel] takes them: their names are IDs as well. It is nil where they are
// not known.
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

// Relabel returns the set with labels that are indices of the given classes, by whose names (see [ClassNames]) it calls
// them: a class of the set is the one whose ID its name is, or else the only one of that name. The set need not have
// all of them. Labels of a set that does not name its classes are indices already. A set without labels is returned as
// it is. Closing the result closes d.
//
// It is an error if the set has a class, or a label, that is none of the classes.
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

// classIndex returns where the set's classes are among the given ones, nil for a set that does not name its classes.
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
			return nil, fmt.Errorf("%s: class %s is the name of %d of the classes given, expected an ID", describe(d),
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
