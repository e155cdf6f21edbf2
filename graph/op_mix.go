package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// AlwaysPresent marks, in the group list of [Mix], an element that belongs to no group and is always present.
const AlwaysPresent = -1

// Mix returns removed + mask[group]·(present - removed): the activations of a coalition. Elements of groups with mask 1
// come from present, those of groups with mask 0 from removed. A mask between 0 and 1 gives a point on the line from
// removed to present.
//
// mask is [batch, groups]. present and removed have one shape per sample and are [batch, ...], or [1, ...] where all
// samples share the values. group holds, for each element of a sample, the number of its group, or AlwaysPresent. The
// result is [batch, ...].
//
// The inputs have gradients, except an input of shape [1, ...] that the samples of a batch share: its gradient would be
// a sum over the batch, and so depend on how a stream is cut into batches.
func Mix(mask, present, removed *G.Node, group []int) (*G.Node, error) {
	const name = "Mix"
	m, err := newMixing(name, mask, present, removed, group)
	if err != nil {
		return nil, err
	}
	if err := m.wantSamples("removed", removed); err != nil {
		return nil, err
	}
	return m.node(mask, present, removed)
}

// MixRows is [Mix] with removed values that each sample takes from one of several rows: sample i takes rows[row[i]].
// rows is [number of rows, ...]; row [batch] holds whole numbers in the element type of the other inputs. Neither has a
// gradient.
func MixRows(mask, present, rows, row *G.Node, group []int) (*G.Node, error) {
	const name = "MixRows"
	m, err := newMixing(name, mask, present, rows, group)
	if err != nil {
		return nil, err
	}
	if err := wantShape(name, "row", row, m.batch); err != nil {
		return nil, err
	}
	m.byRow = true
	return m.node(mask, present, rows, row)
}

// mixing holds the parts of [Mix] and its variants that do not depend on the element type.
type mixing struct {
	name  string
	batch int
	shape []int // [batch, ...]
	group []int
	runs  []groupRun
	byRow bool // the last input holds the row of removed activations for each sample
}

// MixStep describes [Mix] and [MixRows], whose inputs are their nodes in order. Group holds the group of each element
// of a sample, in row-major order.
type MixStep struct{ Group []int }

// groupRun is a run of neighbouring elements that all belong to one group, or to groups that rise by one from element
// to element.
type groupRun struct {
	lo, hi, group int
	rising        bool
}

func newMixing(name string, mask, present, removed *G.Node, group []int) (*mixing, error) {
	if err := wantDims(name, 2, mask); err != nil {
		return nil, err
	}
	if err := wantBatched(name+": present activations", 1, present); err != nil {
		return nil, err
	}
	if err := wantBatched(name+": removed activations", 1, removed); err != nil {
		return nil, err
	}
	batch, groups := mask.Shape()[0], mask.Shape()[1]
	m := &mixing{name: name, batch: batch, shape: append([]int{batch}, present.Shape()[1:]...),
		group: slices.Clone(group)}
	if err := m.wantSamples("present", present); err != nil {
		return nil, err
	}
	if got, want := removed.Shape()[1:], m.shape[1:]; !sameShape(got, want) {
		return nil, fmt.Errorf("%s: removed activations (%s): expected shape %v for a sample, got %v", name,
			removed.Name(), want, []int(got))
	}
	if size := present.Shape()[1:].TotalSize(); len(group) != size {
		return nil, fmt.Errorf("%s: expected a group for each of %d activations, got %d", name, size, len(group))
	}
	for i, g := range group {
		if g < AlwaysPresent || g >= groups {
			return nil, fmt.Errorf("%s: element %d: expected a group from %d to %d, got %d", name, i, AlwaysPresent,
				groups-1, g)
		}
	}
	m.runs = groupRuns(m.group)
	return m, nil
}

// wantSamples fails unless the node has one row for each sample of the batch, or one row for all.
func (m *mixing) wantSamples(what string, n *G.Node) error {
	if s := n.Shape(); s[0] != 1 && s[0] != m.batch || !sameShape(s[1:], m.shape[1:]) {
		return fmt.Errorf("%s: %s activations (%s): expected 1 or %d samples of %v, got shape %v", m.name, what,
			n.Name(), m.batch, m.shape[1:], s)
	}
	return nil
}

// groupRuns divides the elements into runs.
func groupRuns(group []int) []groupRun {
	var runs []groupRun
	for lo := 0; lo < len(group); {
		r := groupRun{lo: lo, hi: lo + 1, group: group[lo]}
		step := 0
		if r.rising = r.hi < len(group) && group[lo] >= 0 && group[r.hi] == group[lo]+1; r.rising {
			step = 1
		}
		for r.hi < len(group) && group[r.hi] == group[r.hi-1]+step {
			r.hi++
		}
		runs = append(runs, r)
		lo = r.hi
	}
	return runs
}

func (m *mixing) node(in ...*G.Node) (*G.Node, error) {
	diff := []bool{true, in[1].Shape()[0] == m.batch, in[2].Shape()[0] == m.batch && !m.byRow, false}[:len(in)]
	step := explained(m.name, MixStep{m.group})
	return step(m.card()(floatOp(m.name, m.shape, in, diff, m.gradients, mixRun[float32](m), mixRun[float64](m))))
}

func (m *mixing) gradients(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
	gs = make(G.Nodes, len(in))
	if need[0] {
		args := append([]*G.Node{grad}, in[1:]...)
		if gs[0], err = m.maskGradCard(in[0].Shape()[1])(floatOp(m.name+"'mask", in[0].Shape(), args, nil, nil,
			mixDMask[float32](m), mixDMask[float64](m))); err != nil {
			return nil, err
		}
	}
	for i := 1; i <= 2; i++ {
		if !need[i] {
			continue
		}
		args := []*G.Node{grad, in[0]}
		if gs[i], err = m.gradCard(i == 1)(floatOp(m.name+"'x", m.shape, args, nil, nil,
			mixDX[float32](m.group, i == 1), mixDX[float64](m.group, i == 1))); err != nil {
			return nil, err
		}
	}
	return gs, nil
}
