package eval

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/line-ood/goline/dataset"
)

// ErrShared is wrapped by the errors of CheckDisjoint.
var ErrShared = errors.New("expected validation pictures that are in no other set")

// Pictures is a named set with the hashes of its pictures' content; see [Extractor.Hashes].
type Pictures struct {
	Name   string              // what errors call the set
	Set    dataset.Dataset     // the pictures, whose names errors tell
	Hashes [][sha256.Size]byte // one for each picture, in the set's order
}

// Shared reports for each picture of the set whether another set holds it too, under whatever name.
func (p Pictures) Shared(others ...Pictures) []bool {
	known := map[[sha256.Size]byte]bool{}
	for _, o := range others {
		for _, h := range o.Hashes {
			known[h] = true
		}
	}
	shared := make([]bool, len(p.Hashes))
	for i, h := range p.Hashes {
		shared[i] = known[h]
	}
	return shared
}

// CheckDisjoint returns an error that wraps ErrShared where another set holds a picture of this set. The error gives
// the number of such pictures and names the first.
func (p Pictures) CheckDisjoint(others ...Pictures) error {
	for _, o := range others {
		place := map[[sha256.Size]byte]int{}
		for i, h := range o.Hashes {
			if _, twice := place[h]; !twice {
				place[h] = i
			}
		}
		n, first, there := 0, 0, 0
		for i, h := range p.Hashes {
			k, ok := place[h]
			if !ok {
				continue
			}
			if n++; n == 1 {
				first, there = i, k
			}
		}
		if n > 0 {
			return fmt.Errorf("%s: %d of %d pictures are in %s too, such as %s, which is %s there: %w",
				p.Name, n, len(p.Hashes), o.Name, p.Set.ID(first), o.Set.ID(there), ErrShared)
		}
	}
	return nil
}
