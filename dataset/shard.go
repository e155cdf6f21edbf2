package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/bits"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Shard is one of Count nearly equal ranges of a list of images, counted from 0. Joined in order, the ranges are the
// list.
type Shard struct {
	Index int `json:"index"` // in 0 to Count-1
	Count int `json:"count"` // at least 1
}

// ParseShard reads "I/N", I from 0 to N-1.
func ParseShard(s string) (Shard, error) {
	a, b, found := strings.Cut(s, "/")
	index, err := strconv.Atoi(a)
	count, err2 := strconv.Atoi(b)
	if !found || err != nil || err2 != nil || count < 1 || index < 0 || index >= count {
		return Shard{}, fmt.Errorf("shard %q: expected I/N, with I from 0 to N-1", s)
	}
	return Shard{index, count}, nil
}

// Range returns the range [lo, hi) of n images that belongs to the shard. The lengths of shards differ by at most
// one.
func (s Shard) Range(n int) (lo, hi int) {
	at := func(i int) int {
		high, low := bits.Mul64(uint64(i), uint64(n))
		q, _ := bits.Div64(high, low, uint64(s.Count))
		return int(q)
	}
	return at(s.Index), at(s.Index + 1)
}

// Extent says which part of which list a shard is, so that results of the shards of a list can be merged.
type Extent struct {
	Shard
	First  int `json:"first"`  // index of the first image in the list
	Images int `json:"images"` // number of images of the shard that were read
	// Unread is the number of images of the shard that were left out because they could not be read.
	Unread int `json:"unread,omitempty"`
	Total  int `json:"total"` // number of images in the list
	// Inputs is a digest of the whole list: of the base names of the images' IDs, and of the labels.
	Inputs string `json:"inputs"`
	// Recipe identifies how the results of the shards are made, for example by a detector and its network. It is
	// equal for all shards whose results can be merged.
	Recipe string `json:"made"`
}

// Listing computes the digest of a list of images, one image after another.
type Listing struct {
	images int
	digest hash.Hash
}

// Add adds the next image with its label, -1 where that is unknown.
func (l *Listing) Add(id string, label int) {
	if l.digest == nil {
		l.digest = sha256.New()
	}
	fmt.Fprintf(l.digest, "%q %d\n", filepath.Base(id), label)
	l.images++
}

// Images returns the number of images that were added.
func (l *Listing) Images() int { return l.images }

// Inputs returns the digest for [Extent].Inputs.
func (l *Listing) Inputs() string {
	if l.digest == nil {
		l.digest = sha256.New()
	}
	return hex.EncodeToString(l.digest.Sum(nil))
}

// Sharded returns the images of one shard of a set, and the shard's extent. recipe becomes [Extent].Recipe; the
// caller identifies by it how the results of the shard are made. Closing the result closes d. It is an error if the
// shard has no images, because there are more shards than images.
func Sharded(d Dataset, s Shard, recipe string) (Dataset, Extent, error) {
	lo, hi := s.Range(d.Len())
	e := Extent{Shard: s, First: lo, Images: hi - lo, Total: d.Len(), Recipe: recipe}
	if lo == hi {
		return nil, e, fmt.Errorf("%s: shard %d/%d: %w: expected at most %d shards", d.Name(), s.Index, s.Count,
			ErrNoImages, d.Len())
	}
	var list Listing
	labels := d.Labels()
	for i := range d.Len() {
		label := -1
		if labels != nil {
			label = labels[i]
		}
		list.Add(d.ID(i), label)
	}
	e.Inputs = list.Inputs()
	indices := make([]int, hi-lo)
	for i := range indices {
		indices[i] = lo + i
	}
	part, err := Subset(d, indices)
	return part, e, err
}

// OrderShards returns the order in which extents make a whole list, or an error that says what is missing or does not
// belong together. names are the names of the extents in errors.
func OrderShards(extents []Extent, names []string) (order []int, err error) {
	if len(extents) == 0 {
		return nil, errors.New("expected shards, got none")
	}
	order = make([]int, len(extents))
	for i, e := range extents {
		order[i] = i
		first := extents[0]
		switch {
		case e.Count != first.Count || e.Total != first.Total:
			return nil, fmt.Errorf("%s is one of %d shards of %d images, but %s one of %d of %d", names[i], e.Count,
				e.Total, names[0], first.Count, first.Total)
		case e.Inputs != first.Inputs:
			return nil, fmt.Errorf("%s is of other images than %s: expected shards of one list", names[i], names[0])
		case e.Recipe != first.Recipe:
			return nil,
				fmt.Errorf("%s was made by %s, but %s by %s: expected the same network, detector and parameters",
					names[i], e.Recipe, names[0], first.Recipe)
		}
		if e.Count < 1 || e.Index < 0 || e.Index >= e.Count || e.Total < 1 {
			return nil, fmt.Errorf("%s: shard %d/%d of %d images: expected an index below the count", names[i], e.Index,
				e.Count, e.Total)
		}
		if lo, hi := e.Range(e.Total); e.First != lo || e.Images < 0 || e.Unread < 0 || e.Images > hi-lo ||
			e.Images+e.Unread != hi-lo {
			return nil, fmt.Errorf("%s: shard %d/%d of %d images cannot begin at image %d and have %d", names[i],
				e.Index, e.Count, e.Total, e.First, e.Images+e.Unread)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return extents[a].Index - extents[b].Index })
	for i, at := range order {
		if i > 0 && extents[order[i-1]].Index == extents[at].Index {
			return nil, fmt.Errorf("%s and %s are the same shard, %d/%d", names[order[i-1]], names[at],
				extents[at].Index, extents[at].Count)
		}
	}
	for i := range extents[0].Count {
		if i >= len(order) || extents[order[i]].Index != i {
			return nil, fmt.Errorf("shard %d/%d is missing: expected %d, got %d", i, extents[0].Count, extents[0].Count,
				len(extents))
		}
	}
	return order, nil
}
