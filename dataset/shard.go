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

// Shard is one of Count equal runs of a list of images, counted from 0: together, in order, they are the list.
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

// Range returns the images [lo, hi) of n that belong to the shard. Lengths of shards differ by one at most.
func (s Shard) Range(n int) (lo, hi int) {
	at := func(i int) int {
		high, low := bits.Mul64(uint64(i), uint64(n))
		q, _ := bits.Div64(high, low, uint64(s.Count))
		return int(q)
	}
	return at(s.Index), at(s.Index + 1)
}

// Extent says which part of which list a shard is, so that results of the shards of one list can be put together.
type Extent struct {
	Shard
	First  int `json:"first"`            // image
	Images int `json:"images"`           // of the shard that were read
	Unread int `json:"unread,omitempty"` // of the shard that were left out because they could not be read
	Total  int `json:"total"`            // of the list
	// Inputs is a digest of the whole list: base names of the images' IDs, and labels.
	Inputs string `json:"inputs"`
	// Recipe says what makes a result of the images, a detector and its network for example: it is equal for all shards
	// that belong together.
	Recipe string `json:"made"`
}

// Listing digests a list of images, one after another.
type Listing struct {
	images int
	digest hash.Hash
}

// Add takes the next image, with its label, -1 where it is unknown.
func (l *Listing) Add(id string, label int) {
	if l.digest == nil {
		l.digest = sha256.New()
	}
	fmt.Fprintf(l.digest, "%q %d\n", filepath.Base(id), label)
	l.images++
}

// Images returns how many images were added.
func (l *Listing) Images() int { return l.images }

// Inputs returns the digest, as [Extent] holds it.
func (l *Listing) Inputs() string {
	if l.digest == nil {
		l.digest = sha256.New()
	}
	return hex.EncodeToString(l.digest.Sum(nil))
}

// Sharded returns the images of one shard of a set, and where they lie in it. recipe becomes [Extent].Recipe: whoever
// makes something of the shard says by it what it is made with. Closing the result closes d. It is an error if the
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

// OrderShards returns the order in which extents make a whole list, or what is missing or does not belong together.
// names are what errors call them.
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
