package command

import (
	"fmt"

	"github.com/line-ood/goline/dataset"
)

// Reopen opens the pictures of the ID set and of every OOD set once more, in the order of Data, to show some of them.
// The caller calls done when it has.
func (e *Evaluation) Reopen() (sets []dataset.Dataset, done func(), err error) {
	done = func() {
		for _, s := range sets {
			s.Close()
		}
	}
	set, err := e.Net.Data("--id", e.ID)
	if err != nil {
		return nil, done, err
	}
	sets = append(sets, set)
	for _, s := range e.Sets {
		if set, err = dataset.Open(s.Spec); err != nil {
			return sets, done, fmt.Errorf("pictures of %s: %w", s.Name, err)
		}
		sets = append(sets, set)
	}
	return sets, done, nil
}
