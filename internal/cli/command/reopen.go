package command

import (
	"fmt"

	"github.com/line-ood/goline/dataset"
)

// Reopen opens the pictures of the ID set and of every OOD set again, in the order of Data, so that some can be shown.
// The caller must call done after use.
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
