package dataset

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// subset is a selection of the images of a set.
type subset struct {
	Dataset
	indices []int
	labels  []int
}

// Subset returns the images of d with the given indices, in that order; an index may occur more than once. Closing
// the subset closes d. It is an error if there are no indices, or an index is outside of d.
func Subset(d Dataset, indices []int) (Dataset, error) {
	if len(indices) == 0 {
		return nil, fmt.Errorf("subset of %s: %w", d.Name(), ErrNoImages)
	}
	for _, i := range indices {
		if err := checkIndex(d, i); err != nil {
			return nil, fmt.Errorf("subset of %w", err)
		}
	}
	s := &subset{Dataset: d, indices: slices.Clone(indices)}
	if all := d.Labels(); all != nil {
		s.labels = make([]int, len(indices))
		for k, i := range indices {
			s.labels[k] = all[i]
		}
	}
	return s, nil
}

// Limit returns the first n images of d, or d itself if it has no more than n. It is an error if n < 1.
func Limit(d Dataset, n int) (Dataset, error) {
	if n < 1 {
		return nil, fmt.Errorf("limit of %s: expected at least 1 image, got %d", d.Name(), n)
	}
	if n >= d.Len() {
		return d, nil
	}
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i
	}
	return Subset(d, indices)
}

func (s *subset) Len() int      { return len(s.indices) }
func (s *subset) Labels() []int { return s.labels }

func (s *subset) ID(i int) string { return s.Dataset.ID(s.indices[i]) }

func (s *subset) Image(i int) (Image, error) {
	if err := checkIndex(s, i); err != nil {
		return Image{}, err
	}
	return s.Dataset.Image(s.indices[i])
}

func (s *subset) imageInto(i int, scratch *scratch) (Image, error) {
	if err := checkIndex(s, i); err != nil {
		return Image{}, err
	}
	return imageInto(s.Dataset, s.indices[i], scratch)
}

// joined is several sets one after the other.
type joined struct {
	name    string
	parts   []Dataset
	ends    []int // running totals of the lengths
	labels  []int
	classes []string
}

// Concat returns the images of all parts, one part after another. If any part has labels, the labels of unlabelled
// parts are -1. Parts that name their classes must have the same ones. IDs are those of the parts. Closing the result
// closes the parts.
func Concat(parts ...Dataset) (Dataset, error) {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.Name()
	}
	return concat(strings.Join(names, ", "), parts)
}

func concat(name string, parts []Dataset) (Dataset, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("join data sets: %w", ErrNoImages)
	}
	j := &joined{name: name, parts: slices.Clone(parts)}
	total, labelled, named := 0, false, -1
	for i, p := range parts {
		total += p.Len()
		j.ends = append(j.ends, total)
		labelled = labelled || p.Labels() != nil
		if p.Classes() == nil {
			continue
		}
		if named >= 0 && !slices.Equal(p.Classes(), j.classes) {
			return nil, fmt.Errorf("join data sets: %s has the classes %s, but %s has %s",
				describe(parts[named]), abridge(j.classes), describe(p), abridge(p.Classes()))
		}
		named, j.classes = i, p.Classes()
	}
	if !labelled {
		return j, nil
	}
	j.labels = make([]int, 0, total)
	for _, p := range parts {
		labels := p.Labels()
		if labels == nil {
			labels = slices.Repeat([]int{-1}, p.Len())
		}
		j.labels = append(j.labels, labels...)
	}
	return j, nil
}

// describe names a part in an error. All parts of a set that was opened by a pattern have the same name, so that it
// adds more.
func describe(d Dataset) string {
	switch d := d.(type) {
	case *records:
		return d.path
	case *tarSet:
		return d.path
	case *pictures:
		if d.list != "" {
			return d.list
		}
		return d.root
	}
	return d.Name()
}

// abridge returns a list of classes as text, shortened if it is long.
func abridge(classes []string) string {
	const shown = 5
	if len(classes) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(classes[:shown], ", "), len(classes)-shown)
	}
	return strings.Join(classes, ", ")
}

func (j *joined) Name() string      { return j.name }
func (j *joined) Len() int          { return j.ends[len(j.ends)-1] }
func (j *joined) Labels() []int     { return j.labels }
func (j *joined) Classes() []string { return j.classes }

// locate returns the part that holds image i, and its index there.
func (j *joined) locate(i int) (Dataset, int) {
	k := sort.SearchInts(j.ends, i+1)
	if k > 0 {
		i -= j.ends[k-1]
	}
	return j.parts[k], i
}

func (j *joined) ID(i int) string {
	d, k := j.locate(i)
	return d.ID(k)
}

func (j *joined) Image(i int) (Image, error) {
	if err := checkIndex(j, i); err != nil {
		return Image{}, err
	}
	d, k := j.locate(i)
	return d.Image(k)
}

func (j *joined) imageInto(i int, s *scratch) (Image, error) {
	if err := checkIndex(j, i); err != nil {
		return Image{}, err
	}
	d, k := j.locate(i)
	return imageInto(d, k, s)
}

func (j *joined) Close() error {
	errs := make([]error, len(j.parts))
	for i, p := range j.parts {
		errs[i] = p.Close()
	}
	return errors.Join(errs...)
}
