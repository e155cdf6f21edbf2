package line

import (
	"fmt"
	"math"
)

// Contributions accumulates the contributions of neurons to the logit of their image's class, summed by class. Those
// of disjoint sets of images merge into those of the union.
type Contributions struct {
	classes, features int
	count             []int
	// Sums are unevaluated pairs hi+lo with about 106 bits. The mean therefore does not depend on the order in which
	// images are added or parts are merged.
	hi, lo []float64
}

// NewContributions returns contributions without images for the given numbers of classes (K) and penultimate neurons
// (D).
func NewContributions(classes, features int) *Contributions {
	return &Contributions{
		classes: classes, features: features, count: make([]int, classes),
		hi: make([]float64, classes*features), lo: make([]float64, classes*features),
	}
}

// Classes returns K.
func (c *Contributions) Classes() int { return c.classes }

// FeatureDim returns D.
func (c *Contributions) FeatureDim() int { return c.features }

// Count returns the number of images of a class.
func (c *Contributions) Count(class int) int { return c.count[class] }

// Add adds the contributions [D] of one image of the given class. A class outside 0 to K-1, a wrong length, or a
// contribution that is NaN or infinite is an error and leaves the sums unchanged.
func (c *Contributions) Add(class int, contribution []float32) error {
	if class < 0 || class >= c.classes {
		return fmt.Errorf("expected a label from 0 to %d, got %d", c.classes-1, class)
	}
	if len(contribution) != c.features {
		return fmt.Errorf("expected a contribution of each of %d neurons, got %d", c.features, len(contribution))
	}
	for i, v := range contribution {
		if v-v != 0 {
			return fmt.Errorf("contribution of neuron %d is %v", i, v)
		}
	}
	hi, lo := c.hi[class*c.features:][:c.features], c.lo[class*c.features:][:c.features]
	for i, v := range contribution {
		hi[i], lo[i] = addPair(hi[i], lo[i], float64(v), 0)
	}
	c.count[class]++
	return nil
}

// addPair adds two unevaluated sums ah+al and bh+bl (Dekker 1971), the high parts by Knuth's error-free
// transformation.
func addPair(ah, al, bh, bl float64) (hi, lo float64) {
	s := ah + bh
	t := s - ah
	e := (ah - (s - t)) + (bh - t)
	e += al + bl
	hi = s + e
	return hi, e - (hi - s)
}

// Merge adds the contributions of other images. Other numbers of classes or neurons are an error.
func (c *Contributions) Merge(other *Contributions) error {
	if other.classes != c.classes || other.features != c.features {
		return fmt.Errorf("line: merge: expected contributions of %d neurons to %d classes, got those of %d to %d",
			c.features, c.classes, other.features, other.classes)
	}
	for i := range c.hi {
		c.hi[i], c.lo[i] = addPair(c.hi[i], c.lo[i], other.hi[i], other.lo[i])
	}
	for k, n := range other.count {
		c.count[k] += n
	}
	return nil
}

// Mean returns C [K, D], row-major: the mean contribution of each neuron to each class (section 3.1 of the LINe
// paper). Classes without images are an error that names them.
func (c *Contributions) Mean() ([]float32, error) {
	if err := c.checkCounts(); err != nil {
		return nil, err
	}
	mean := make([]float32, len(c.hi))
	for k, n := range c.count {
		for i := range c.features {
			j := k*c.features + i
			mean[j] = float32(c.hi[j]/float64(n) + c.lo[j]/float64(n))
			if math.IsInf(float64(mean[j]), 0) {
				return nil, fmt.Errorf("mean contribution of neuron %d to class %d overflows", i, k)
			}
		}
	}
	return mean, nil
}

// checkCounts returns an error that names the classes without images, if there are any.
func (c *Contributions) checkCounts() error {
	var empty []int
	for k, n := range c.count {
		if n == 0 {
			empty = append(empty, k)
		}
	}
	if len(empty) > 0 {
		const most = 10
		rest := ""
		if len(empty) > most {
			rest = fmt.Sprintf(" and %d more", len(empty)-most)
			empty = empty[:most]
		}
		return fmt.Errorf("no images of class %s: every class needs at least one", join(empty)+rest)
	}
	return nil
}

func join(ints []int) string {
	s := ""
	for i, v := range ints {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(v)
	}
	return s
}
