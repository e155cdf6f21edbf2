package graph

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/line-ood/goline/internal/kernel"
)

// normGeom is the geometry of a normalisation. The input is a stack of rows of groups·channels·hw elements. Each group
// of a row is standardised by itself; then each of its channels has a scale and a shift for its hw elements.
type normGeom struct {
	groups, channels, hw int
	eps                  float64
	centre               bool // subtract the mean; otherwise standardise about zero
}

// NormStep describes [LayerNorm], [RMSNorm] and [GroupNorm]. Input 0 is x; Scale and Bias are positions among the
// inputs, -1 where there is none.
type NormStep struct {
	Axis        int     // the first of the axes that are standardised together, not negative; 1 for GroupNorm
	Groups      int     // groups of a GroupNorm, zero for the others
	Eps         float64 // what is added to the variance, at least 0
	Scale, Bias int
}

// normAt holds the positions of scale and bias among the operation's inputs, -1 for none.
type normAt struct{ scale, bias int }

// normalize adds a normalisation of x. step describes it, except for the positions of scale and bias, which normalize
// fills in. scale and bias may be nil; they have one element for each channel of each group, in any shape.
func normalize(name string, x, scale, bias *G.Node, g normGeom, step NormStep) (*G.Node, error) {
	if !(g.eps >= 0) {
		return nil, fmt.Errorf("%s: expected eps of at least 0, got %v", name, g.eps)
	}
	in, at := []*G.Node{x}, normAt{-1, -1}
	if scale != nil {
		at.scale = len(in)
		in = append(in, scale)
	}
	if bias != nil {
		at.bias = len(in)
		in = append(in, bias)
	}
	diff := make([]bool, len(in))
	for i := range diff {
		diff[i] = true
	}
	grad := func(in G.Nodes, _, grad *G.Node, need []bool) (gs G.Nodes, err error) {
		gs = make(G.Nodes, len(in))
		args := []*G.Node{grad, in[0]}
		if need[0] {
			withScale := args
			if at.scale >= 0 {
				withScale = append(withScale, in[at.scale])
			}
			if gs[0], err = onCardFlat(g.gradCard)(floatOp(name+"'x", in[0].Shape(), withScale, nil, nil,
				normDX[float32](g), normDX[float64](g))); err != nil {
				return nil, err
			}
		}
		if i := at.scale; i >= 0 && need[i] {
			if gs[i], err = g.sumsCard(true)(floatOp(name+"'scale", in[i].Shape(), args, nil, nil,
				normDScale[float32](g), normDScale[float64](g))); err != nil {
				return nil, err
			}
		}
		if i := at.bias; i >= 0 && need[i] {
			gs[i], err = g.sumsCard(false)(floatOp(name+"'bias", in[i].Shape(), []*G.Node{grad}, nil, nil,
				normDBias[float32](g), normDBias[float64](g)))
		}
		return gs, err
	}
	step.Eps, step.Scale, step.Bias = g.eps, at.scale, at.bias
	card := onCardFlat(func(c *deviceCall) error { return g.card(c, at) })
	return explained(name, step)(card(floatOp(name, x.Shape(), in, diff, grad, normRun[float32](g, at),
		normRun[float64](g, at))))
}

// eachGroup calls visit for each group of the given number of elements: its first element, its size, and its number k
// within its row.
func (g normGeom) eachGroup(elements int, visit func(from, size, k int)) {
	size := g.channels * g.hw
	for at := 0; at < elements; at += size {
		visit(at, size, at/size%g.groups)
	}
}

func normRun[T kernel.Float](g normGeom, at normAt) func(*call[T]) error {
	return func(c *call[T]) error {
		var scale, bias []T
		if at.scale >= 0 {
			scale = c.flat(at.scale)
		}
		if at.bias >= 0 {
			bias = c.flat(at.bias)
		}
		y, _ := c.out.flat()
		x := c.flat(0)
		g.eachGroup(len(y), func(from, size, k int) {
			y, x := y[from:][:size], x[from:][:size]
			mean, inv := kernel.Moments(x, g.eps, g.centre)
			first := k * g.channels
			if g.hw == 1 {
				kernel.Standardize(y, x, mean, inv, 0)
				if scale != nil {
					kernel.Mul(y, y, scale[first:][:size])
				}
				if bias != nil {
					kernel.Add(y, y, bias[first:][:size])
				}
				return
			}
			for ch := range g.channels {
				a, b := inv, 0.0
				if scale != nil {
					a *= float64(scale[first+ch])
				}
				if bias != nil {
					b = float64(bias[first+ch])
				}
				kernel.Standardize(y[ch*g.hw:][:g.hw], x[ch*g.hw:][:g.hw], mean, a, b)
			}
		})
		return nil
	}
}

func normDX[T kernel.Float](g normGeom) func(*call[T]) error {
	return func(c *call[T]) error {
		var scale []T
		if len(c.in) > 2 {
			scale = c.flat(2)
		}
		dx, _ := c.out.flat()
		dy, x := c.flat(0), c.flat(1)
		g.eachGroup(len(dx), func(from, size, k int) {
			dx, dy, x := dx[from:][:size], dy[from:][:size], x[from:][:size]
			if scale != nil {
				s := scale[k*g.channels:][:g.channels]
				if g.hw == 1 {
					kernel.Mul(dx, dy, s)
				} else {
					kernel.Affine(dx, dy, s, nil, g.channels, g.hw, false)
				}
				dy = dx
			}
			mean, inv := kernel.Moments(x, g.eps, g.centre)
			kernel.StandardizeBackward(dx, dy, x, mean, inv, g.centre)
		})
		return nil
	}
}

func normDScale[T kernel.Float](g normGeom) func(*call[T]) error {
	return func(c *call[T]) error {
		ds, _ := c.out.flat()
		clear(ds)
		dy, x := c.flat(0), c.flat(1)
		hat := c.workspace(g.channels)
		g.eachGroup(len(x), func(from, size, k int) {
			dy, x := dy[from:][:size], x[from:][:size]
			mean, inv := kernel.Moments(x, g.eps, g.centre)
			d := ds[k*g.channels:][:g.channels]
			if g.hw == 1 {
				kernel.Standardize(hat, x, mean, inv, 0)
				kernel.Mul(hat, hat, dy)
				kernel.AddTo(d, hat)
				return
			}
			for ch := range d {
				_, dot := kernel.DotCentred(dy[ch*g.hw:][:g.hw], x[ch*g.hw:][:g.hw], mean)
				d[ch] += T(dot * inv)
			}
		})
		return nil
	}
}

func normDBias[T kernel.Float](g normGeom) func(*call[T]) error {
	return func(c *call[T]) error {
		db, _ := c.out.flat()
		clear(db)
		dy := c.flat(0)
		g.eachGroup(len(dy), func(from, size, k int) {
			dy, d := dy[from:][:size], db[k*g.channels:][:g.channels]
			if g.hw == 1 {
				kernel.AddTo(d, dy)
				return
			}
			for ch := range d {
				d[ch] += T(kernel.Sum(dy[ch*g.hw:][:g.hw]))
			}
		})
		return nil
	}
}

// wantFloats fails unless x has at least the given number of axes and the others, which may be nil, have its element
// type.
func wantFloats(name string, dims int, x *G.Node, others ...*G.Node) error {
	if err := wantRank(name, dims, x); err != nil {
		return err
	}
	for _, n := range others {
		if n != nil {
			if err := wantOneType(name, x, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// wantPerChannel fails unless scale and bias have the given shape or are nil.
func wantPerChannel(name string, scale, bias *G.Node, shape ...int) error {
	if scale != nil {
		if err := wantShape(name, "scale", scale, shape...); err != nil {
			return err
		}
	}
	if bias != nil {
		return wantShape(name, "bias", bias, shape...)
	}
	return nil
}
