package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/line-ood/goline/graph"
)

func exportReshape(e *exporter, s graph.Step, shape []int, name string) error {
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	return e.reshape(x, shape, name)
}

// reshape adds a reshape. -1 in the shape stands for a length that depends on the batch.
func (e *exporter) reshape(x string, shape []int, name string) error {
	free := 0
	for _, n := range shape {
		if n < 0 {
			free++
		}
	}
	if free > 1 {
		return fmt.Errorf("expected at most one axis of its result to depend on the batch, got %d of %v", free, shape)
	}
	e.node("Reshape", name, []string{x, e.ints(name+".shape", shape...)})
	return nil
}

func exportTranspose(e *exporter, s graph.Step, _ []int, name string) error {
	t, ok := s.Attributes.(graph.TransposeStep)
	if !ok {
		return errNotDescribed
	}
	return plain("Transpose", integers("perm", t.Perm...))(e, s, nil, name)
}

func exportConcat(e *exporter, s graph.Step, _ []int, name string) error {
	c, ok := s.Attributes.(graph.ConcatStep)
	if !ok {
		return errNotDescribed
	}
	return plain("Concat", integer("axis", c.Axis))(e, s, nil, name)
}

func exportChannels(e *exporter, s graph.Step, _ []int, name string) error {
	c, ok := s.Attributes.(graph.ChannelsStep)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	e.slice(x, name, []int{1}, []int{c.From}, []int{c.To}, []int{1})
	return nil
}

func exportSlice(e *exporter, s graph.Step, _ []int, name string) error {
	c, ok := s.Attributes.(graph.SliceStep)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	end := c.First + (c.Count-1)*c.Step + 1
	if c.Step < 0 {
		if end -= 2; end < 0 {
			end = math.MinInt32 // before the first element, as -1 would mean the last
		}
	}
	e.slice(x, name, []int{c.Axis}, []int{c.First}, []int{end}, []int{c.Step})
	return nil
}

func (e *exporter) slice(x, name string, axes, starts, ends, steps []int) {
	in := []string{x, e.ints(name+".starts", starts...), e.ints(name+".ends", ends...), e.ints(name+".axes", axes...)}
	if slices.ContainsFunc(steps, func(s int) bool { return s != 1 }) {
		in = append(in, e.ints(name+".steps", steps...))
	}
	e.node("Slice", name, in)
}

func exportTake(e *exporter, s graph.Step, _ []int, name string) error {
	t, ok := s.Attributes.(graph.TakeStep)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	e.node("Gather", name, []string{x, e.ints(name+".index", t.Index...)}, integer("axis", t.Axis))
	return nil
}

// exportPad writes a slice for what is cut off, and constant padding for what is added.
func exportPad(e *exporter, s graph.Step, _ []int, name string) error {
	p, ok := s.Attributes.(graph.PadConfig)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	pads := slices.Concat(p.Before, p.After)
	var axes, starts, ends []int
	for i, n := range s.Inputs[0].Shape {
		start, end := max(-p.Before[i], 0), n-max(-p.After[i], 0)
		if start >= end {
			return errors.New("it cuts off all of an axis")
		}
		if start > 0 || end < n {
			// The end counts from the end of the axis, whose length may depend on the batch.
			axes, starts, ends = append(axes, i), append(starts, start), append(ends, math.MaxInt32)
			if end < n {
				ends[len(ends)-1] = end - n
			}
		}
		pads[i], pads[len(p.Before)+i] = max(p.Before[i], 0), max(p.After[i], 0)
	}
	around := slices.Max(pads) > 0
	if len(axes) > 0 {
		cut := name
		if around {
			cut = e.fresh("slice")
		}
		e.slice(x, cut, axes, starts, ends, slices.Repeat([]int{1}, len(axes)))
		x = cut
	}
	if around {
		e.node("Pad", name, []string{x, e.ints(name+".pads", pads...), e.number(p.Value)})
	}
	return nil
}

// exportExpand writes an expansion. Sizes that depend on the batch are computed when the file runs.
func exportExpand(e *exporter, s graph.Step, shape []int, name string) error {
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	from := e.free(s.Inputs[0])
	to, per := slices.Clone(shape), make([]int, len(shape))
	for i, n := range shape {
		if n >= 0 {
			continue
		}
		if at := i - (len(shape) - len(from)); at >= 0 && from[at] < 0 {
			to[i] = 1 // 1 keeps the axis's own length
			continue
		}
		if per[i], err = perSample(s.Output.Shape[i], e.pairs[s.Output].Shape[i]); err != nil {
			return err
		}
	}
	e.node("Expand", name, []string{x, e.sizes(name+".sizes", to, per)})
	return nil
}

// exportTile writes repetitions. Numbers that depend on the batch are computed when the file runs.
func exportTile(e *exporter, s graph.Step, shape []int, name string) error {
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	other := e.pairs[s.Output].Shape
	from, otherFrom := s.Inputs[0].Shape, e.pairs[s.Inputs[0]].Shape
	reps, per := make([]int, len(shape)), make([]int, len(shape))
	for i, n := range s.Output.Shape {
		a, b := n/from[i], other[i]/otherFrom[i]
		reps[i] = a
		if a == b {
			continue
		}
		reps[i] = -1
		if per[i], err = perSample(a, b); err != nil {
			return err
		}
	}
	e.node("Tile", name, []string{x, e.sizes(name+".repeats", reps, per)})
	return nil
}

func exportShuffle(e *exporter, s graph.Step, shape []int, name string) error {
	c, ok := s.Attributes.(graph.ShuffleStep)
	if !ok {
		return errNotDescribed
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	channels := s.Inputs[0].Shape[1]
	apart := e.inner("Reshape", []string{x, e.ints(name+".groups", 0, c.Groups, channels/c.Groups, -1)})
	return e.reshape(e.inner("Transpose", []string{apart}, integers("perm", 0, 2, 1, 3)), shape, name)
}

func exportDepthToSpace(e *exporter, s graph.Step, _ []int, name string) error {
	b, ok := s.Attributes.(graph.BlockStep)
	if !ok {
		return errNotDescribed
	}
	mode := "DCR"
	if b.CRD {
		mode = "CRD"
	}
	return plain("DepthToSpace", integer("blocksize", b.Block), text("mode", mode))(e, s, nil, name)
}

// exportSpaceToDepth writes a transposition for the order that ONNX's operator does not have.
func exportSpaceToDepth(e *exporter, s graph.Step, shape []int, name string) error {
	b, ok := s.Attributes.(graph.BlockStep)
	if !ok {
		return errNotDescribed
	}
	if !b.CRD {
		return plain("SpaceToDepth", integer("blocksize", b.Block))(e, s, nil, name)
	}
	x, err := e.use(s.Inputs[0])
	if err != nil {
		return err
	}
	from := s.Inputs[0].Shape
	apart := e.inner("Reshape", []string{x, e.ints(name+".blocks", 0, from[1], from[2]/b.Block, b.Block,
		from[3]/b.Block, b.Block)})
	return e.reshape(e.inner("Transpose", []string{apart}, integers("perm", 0, 1, 3, 5, 2, 4)), shape, name)
}
