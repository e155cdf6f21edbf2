package interactions

import "fmt"

// Index is an interaction index: it says how coalitions are weighted, and what values single players get.
type Index int

const (
	// SII is the Shapley interaction index (Grabisch and Roubens 1999): the weight of a coalition S of s players
	// among n is s! (n-s-2)! / (n-1)!, so that every size has the same total weight. Single players have their
	// Shapley values.
	SII Index = iota
	// KSII is k-SII of order k = 2 (Lundberg, Erion and Lee 2018; n-Shapley values of Bordt and von Luxburg 2023):
	// pairs have their SII, and a single player has its Shapley value less half of the SII of each of its pairs. All
	// values sum to v(N) - v(∅).
	KSII
	// Banzhaf is the Banzhaf interaction index (Grabisch and Roubens 1999): every coalition has the same weight,
	// 1/2^(n-2). Single players have their Banzhaf values.
	Banzhaf

	indexCount
)

var indexNames = [indexCount]string{"sii", "k-sii", "banzhaf"}

// String is the index' name, as [ParseIndex] reads it.
func (x Index) String() string {
	if x < 0 || x >= indexCount {
		return fmt.Sprintf("Index(%d)", int(x))
	}
	return indexNames[x]
}

// ParseIndex reads an index' name: sii, k-sii or banzhaf.
func ParseIndex(name string) (Index, error) {
	for x, n := range indexNames {
		if n == name {
			return Index(x), nil
		}
	}
	return 0, fmt.Errorf("attribution: expected an interaction index, one of %q, got %q", indexNames, name)
}

func (x Index) check() error {
	if x < 0 || x >= indexCount {
		return fmt.Errorf("attribution: unknown interaction index %d", int(x))
	}
	return nil
}
