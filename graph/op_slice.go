package graph

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// SliceStep describes [Slice]: it takes Count elements along Axis, the first at First and each further one Step after
// it.
type SliceStep struct{ Axis, First, Step, Count int }

// Slice returns the elements start, start+step, ... before end along an axis of x, as NumPy's x[start:end:step] and
// ONNX's Slice do. A negative axis, start or end counts from the end, and bounds beyond the axis are cut to it. With a
// negative step the elements run backward, and end itself is not taken; math.MinInt as end takes the first element,
// too. A selection without elements is an error.
func Slice(x *G.Node, axis, start, end, step int) (*G.Node, error) {
	if err := wantNode("Slice", x); err != nil {
		return nil, err
	}
	from := x.Shape()
	a, err := wantAxis("Slice", axis, len(from))
	if err != nil {
		return nil, err
	}
	if step == 0 {
		return nil, fmt.Errorf("Slice: expected a step other than 0, got 0")
	}
	first, n := sliceRange(start, end, step, from[a])
	if n < 1 {
		return nil, fmt.Errorf("Slice: nothing between %d and %d with step %d of the %d elements of axis %d", start,
			end, step, from[a], a)
	}
	if n == 1 {
		step = 1
	}
	to := from.Clone()
	to[a] = n
	m := move{from: from, to: to, size: to, src: rowMajor(from), dst: rowMajor(to)}
	m.srcAt = first * m.src[a]
	m.src[a] *= step
	m.attributes = SliceStep{a, first, step, n}
	return m.node("Slice", x)
}

// sliceRange returns the first index and the number of elements that start:end:step selects along an axis of length n.
func sliceRange(start, end, step, n int) (first, count int) {
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(i int) int {
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	start, end = bound(start), bound(end)
	if step < 0 {
		if start <= end {
			return 0, 0
		}
		return start, (start-end-1)/max(-step, 1-maxAxis) + 1
	}
	if start >= end {
		return 0, 0
	}
	return start, (end-start-1)/step + 1
}

// ConcatStep describes [ConcatAxis] along Axis, which is not negative.
type ConcatStep struct{ Axis int }

// ConcatAxis joins nodes along an axis, in order. Along every other axis they must have the same length.
func ConcatAxis(axis int, xs ...*G.Node) (*G.Node, error) {
	if err := wantOneType("ConcatAxis", xs...); err != nil {
		return nil, err
	}
	shape := xs[0].Shape().Clone()
	a, err := wantAxis("ConcatAxis", axis, len(shape))
	if err != nil {
		return nil, err
	}
	for i, x := range xs[1:] {
		s := x.Shape()
		if len(s) != len(shape) || !sameShape(s[:a], shape[:a]) || !sameShape(s[a+1:], shape[a+1:]) {
			return nil, fmt.Errorf("ConcatAxis: input %d has shape %v, which does not fit %v but for axis %d", i+1, s,
				xs[0].Shape(), a)
		}
		if shape[a] += s[a]; shape[a] > maxAxis {
			return nil, fmt.Errorf("ConcatAxis: too many elements along axis %d", a)
		}
	}
	if len(xs) == 1 {
		return xs[0], nil
	}
	outer, inner := total(shape[:a]), total(shape[a+1:])
	sizes := make([]int, len(xs))
	for i, x := range xs {
		sizes[i] = x.Shape()[a] * inner
	}
	grad := func(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, len(in))
		from := 0
		for i, x := range in {
			to := from + x.Shape()[a]
			if need[i] {
				if gs[i], err = Slice(grad, a, from, to, 1); err != nil {
					return nil, err
				}
			}
			from = to
		}
		return gs, nil
	}
	return explained("ConcatAxis", ConcatStep{a})(onCardFlat(joinCard(outer, sizes))(floatOp("ConcatAxis", shape, xs,
		all(len(xs)), grad,
		joinRun[float32](outer, sizes), joinRun[float64](outer, sizes))))
}

// PadMode says what [Pad] puts around an array.
type PadMode int

const (
	PadConstant PadMode = iota // PadConfig.Value
	PadReflect                 // the array mirrored at its outermost element, which is not repeated
	PadEdge                    // the outermost elements repeated
	PadWrap                    // the array itself, repeated
)

// String returns ONNX's name of the mode.
func (m PadMode) String() string {
	if m < 0 || m > PadWrap {
		return fmt.Sprintf("PadMode(%d)", int(m))
	}
	return [...]string{"constant", "reflect", "edge", "wrap"}[m]
}

// PadConfig says how many elements [Pad] puts before and after each axis; negative numbers cut elements off.
type PadConfig struct {
	Before, After []int   // one for each axis
	Mode          PadMode // what the new elements hold; the zero value is PadConstant
	Value         float64 // of PadConstant
}

// Pad returns x with elements put around it or cut off, as ONNX's Pad does. The gradient of an element sums over its
// copies.
func Pad(x *G.Node, cfg PadConfig) (*G.Node, error) {
	if err := wantNode("Pad", x); err != nil {
		return nil, err
	}
	from := x.Shape()
	if len(cfg.Before) != len(from) || len(cfg.After) != len(from) {
		return nil, fmt.Errorf("Pad: expected a size before and one after for each axis of shape %v, got %d and %d",
			from, len(cfg.Before), len(cfg.After))
	}
	if cfg.Mode < 0 || cfg.Mode > PadWrap {
		return nil, fmt.Errorf("Pad: expected one of the modes of PadMode, got %d", int(cfg.Mode))
	}
	to := from.Clone()
	for i, n := range from {
		b, a := cfg.Before[i], cfg.After[i]
		if b < -maxAxis || b > maxAxis || a < -maxAxis || a > maxAxis || n+a+b < 1 {
			return nil,
				fmt.Errorf("Pad: axis %d of %d elements: expected at least one in all and a size that fits, got %d "+
					"more before and %d after", i, n, b, a)
		}
		to[i] = n + a + b
	}
	if _, err := elements(to); err != nil {
		return nil, fmt.Errorf("Pad: %w", err)
	}
	if cfg.Mode == PadConstant {
		return padConstant(x, cfg, to)
	}
	for i := range to {
		var err error
		if x, err = padAxis(x, cfg.Mode, i, cfg.Before[i], to[i]); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func padConstant(x *G.Node, cfg PadConfig, to tensor.Shape) (*G.Node, error) {
	from := x.Shape()
	if sameShape(from, to) && !slices.ContainsFunc(cfg.Before, func(n int) bool { return n != 0 }) {
		return x, nil
	}
	m := move{from: from, to: to, size: make([]int, len(to)), src: rowMajor(from), dst: rowMajor(to), fill: cfg.Value}
	m.attributes = PadConfig{Before: slices.Clone(cfg.Before), After: slices.Clone(cfg.After), Value: cfg.Value}
	for i, b := range cfg.Before {
		src, dst := max(0, -b), max(0, b)
		m.size[i] = min(from[i]-src, to[i]-dst)
		m.srcAt, m.dstAt = m.srcAt+src*m.src[i], m.dstAt+dst*m.dst[i]
		if m.size[i] < 1 { // nothing but padding
			m.size, m.srcAt, m.dstAt = make([]int, len(to)), 0, 0
			break
		}
	}
	return m.node("Pad", x)
}

// padAxis puts copies of elements of x before and behind an axis, which then has n elements.
func padAxis(x *G.Node, mode PadMode, axis, before, n int) (*G.Node, error) {
	length := x.Shape()[axis]
	if before == 0 && n == length {
		return x, nil
	}
	index := make([]int, n)
	for i := range index {
		at := i - before
		switch mode {
		case PadEdge:
			at = min(max(at, 0), length-1)
		case PadWrap:
			at = modulo(at, length)
		default:
			period := max(2*(length-1), 1)
			at = modulo(at, period)
			at = min(at, period-at)
		}
		index[i] = at
	}
	return pick("Pad", x, axis, index)
}

// modulo returns the remainder of i/n in [0, n), for negative i, too.
func modulo(i, n int) int { return (i%n + n) % n }
