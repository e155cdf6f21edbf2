package graph

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// arrayOps are the operations on whole arrays, as functions of x [2, 4, 6, 6], a part [2, 4, 1, 1] and a mask of the
// shape of x.
var arrayOps = map[string]func(x, part, mask *G.Node) (*G.Node, error){
	"Transpose":  func(x, _, _ *G.Node) (*G.Node, error) { return Transpose(x, 0, 2, 3, 1) },
	"ReshapeAll": func(x, _, _ *G.Node) (*G.Node, error) { return ReshapeAll(x, 8, 36) },
	"Slice":      func(x, _, _ *G.Node) (*G.Node, error) { return Slice(x, 2, -1, -9, -2) },
	"ConcatAxis": func(x, part, _ *G.Node) (*G.Node, error) { return ConcatAxis(0, x, x) },
	"Pad": func(x, _, _ *G.Node) (*G.Node, error) {
		return Pad(x, PadConfig{Before: []int{0, 0, 1, -1}, After: []int{0, 0, 2, 1}, Value: 3})
	},
	"Pad reflect": func(x, _, _ *G.Node) (*G.Node, error) {
		return Pad(x, PadConfig{Before: []int{0, 0, 1, 1}, After: []int{0, 0, 2, 1}, Mode: PadReflect})
	},
	"Take":            func(x, _, _ *G.Node) (*G.Node, error) { return Take(x, 1, []int{3, 0, 0, -1}) },
	"Expand":          func(_, part, _ *G.Node) (*G.Node, error) { return Expand(part, 2, 4, 6, 6) },
	"Tile":            func(_, part, _ *G.Node) (*G.Node, error) { return Tile(part, 1, 2, 3, 4) },
	"ChannelShuffle":  func(x, _, _ *G.Node) (*G.Node, error) { return ChannelShuffle(x, 2) },
	"DepthToSpace":    func(x, _, _ *G.Node) (*G.Node, error) { return DepthToSpace(x, 2, true) },
	"SpaceToDepth":    func(x, _, _ *G.Node) (*G.Node, error) { return SpaceToDepth(x, 2, false) },
	"Add":             func(x, part, _ *G.Node) (*G.Node, error) { return Add(x, part) },
	"Sub":             func(x, part, _ *G.Node) (*G.Node, error) { return Sub(x, part) },
	"Mul":             func(x, part, _ *G.Node) (*G.Node, error) { return Mul(part, x) },
	"Mul alike":       func(x, _, mask *G.Node) (*G.Node, error) { return Mul(x, mask) },
	"Div":             func(x, part, _ *G.Node) (*G.Node, error) { return Div(x, part) },
	"Pow":             func(x, part, _ *G.Node) (*G.Node, error) { return Pow(x, part) },
	"Maximum":         func(x, part, _ *G.Node) (*G.Node, error) { return Maximum(x, part) },
	"Minimum":         func(x, part, _ *G.Node) (*G.Node, error) { return Minimum(part, x) },
	"Where":           func(x, part, mask *G.Node) (*G.Node, error) { return Where(mask, x, part) },
	"ReduceSum":       func(x, _, _ *G.Node) (*G.Node, error) { return ReduceSum(x, false, 0, 2) },
	"ReduceMean":      func(x, _, _ *G.Node) (*G.Node, error) { return ReduceMean(x, true, 2, 3) },
	"ReduceMax":       func(x, _, _ *G.Node) (*G.Node, error) { return ReduceMax(x, false, 1) },
	"ReduceMin":       func(x, _, _ *G.Node) (*G.Node, error) { return ReduceMin(x, false) },
	"ReduceProd":      func(x, _, _ *G.Node) (*G.Node, error) { return ReduceProd(x, false, 1) },
	"ReduceLogSumExp": func(x, _, _ *G.Node) (*G.Node, error) { return ReduceLogSumExp(x, false, 2) },
	"SoftmaxAxis":     func(x, _, _ *G.Node) (*G.Node, error) { return SoftmaxAxis(x, 1) },
	"LogSoftmaxAxis":  func(x, _, _ *G.Node) (*G.Node, error) { return LogSoftmaxAxis(x, -1) },
}

// maskOps are the operations on whole arrays that have no gradient.
var maskOps = map[string]func(x, part, mask *G.Node) (*G.Node, error){
	"Less":        func(x, part, _ *G.Node) (*G.Node, error) { return Less(x, part) },
	"LessOrEqual": func(x, part, _ *G.Node) (*G.Node, error) { return LessOrEqual(part, x) },
	"Equal":       func(x, part, _ *G.Node) (*G.Node, error) { return Equal(x, part) },
	"And":         func(x, part, _ *G.Node) (*G.Node, error) { return And(x, part) },
	"Or":          func(x, part, _ *G.Node) (*G.Node, error) { return Or(x, part) },
	"Xor":         func(x, part, _ *G.Node) (*G.Node, error) { return Xor(x, part) },
	"Not":         func(x, _, _ *G.Node) (*G.Node, error) { return Not(x) },
}

// filled adds an input node of the given shape, with small whole numbers of both signs and none of them zero.
func filled(g *G.ExprGraph, dtype tensor.Dtype, name string, shape ...int) *G.Node {
	d := newDense(dtype, shape)
	for i := range total(shape) {
		v := i%5 - 2
		if v == 0 {
			v = 3
		}
		switch data := d.Data().(type) {
		case []float32:
			data[i] = float32(v)
		case []float64:
			data[i] = float64(v)
		}
	}
	return G.NewTensor(g, dtype, len(shape), G.WithShape(shape...), G.WithName(name), G.WithValue(d))
}

// TestArrayOperationsAllocateNothing: once they have run, the operations and their gradients allocate nothing.
func TestArrayOperationsAllocateNothing(t *testing.T) {
	check := func(name string, dtype tensor.Dtype, f func(x, part, mask *G.Node) (*G.Node, error), gradients bool) {
		g := G.NewGraph()
		x, part, mask := filled(g, dtype, "x", 2, 4, 6, 6), filled(g, dtype, "part", 2, 4, 1, 1),
			filled(g, dtype, "mask", 2, 4, 6, 6)
		y, err := f(x, part, mask)
		require.NoError(t, err)
		roots := G.Nodes{y}
		if gradients {
			var wrt G.Nodes
			for _, n := range ancestry(roots) {
				if n == x || n == part {
					wrt = append(wrt, n)
				}
			}
			gs, err := Gradients(roots, G.Nodes{filled(g, dtype, "seed", y.Shape()...)}, wrt)
			require.NoError(t, err)
			roots = append(roots, gs...)
		}
		values := map[*G.Node]G.Value{}
		for _, n := range ancestry(roots) {
			o, ok := n.Op().(*op)
			if !ok {
				values[n] = n.Value()
				continue
			}
			var in []G.Value
			for _, c := range o.in {
				in = append(in, values[c])
			}
			run := func() {
				v, err := o.Do(in...)
				require.NoError(t, err)
				values[n] = v
			}
			run()
			require.Zero(t, testing.AllocsPerRun(10, run), "%s %v: %s", name, dtype, o.name)
		}
	}
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for name, f := range arrayOps {
			check(name, dtype, f, true)
		}
		for name, f := range maskOps {
			check(name, dtype, f, false)
		}
	}
}

// TestArrayOperationsOfBlocks gives each operation a few channels of a shared buffer. The results have the same bits as
// those of a copy.
func TestArrayOperationsOfBlocks(t *testing.T) {
	check := func(name string, dtype tensor.Dtype, f func(x, part, mask *G.Node) (*G.Node, error), gradients bool) {
		g := G.NewGraph()
		in := filled(g, dtype, "in", 2, 3, 6, 6)
		b, err := NewDenseBlock(in, 9)
		require.NoError(t, err)
		require.NoError(t, b.Append(filled(g, dtype, "more", 2, 1, 6, 6)))
		whole := b.Node() // four of nine channels
		require.NoError(t, b.Append(filled(g, dtype, "behind", 2, 5, 6, 6)))
		plain, err := Copy(whole)
		require.NoError(t, err)
		pooled, err := NewDenseBlock(filled(g, dtype, "small", 2, 4, 1, 1), 5)
		require.NoError(t, err)
		part, err := Copy(pooled.Node())
		require.NoError(t, err)
		var reads []*G.Value
		for i, c := range []struct{ x, part *G.Node }{{whole, pooled.Node()}, {plain, part}} {
			y, err := f(c.x, c.part, c.x)
			require.NoError(t, err, name)
			roots := G.Nodes{y}
			if gradients {
				var wrt G.Nodes
				for _, n := range ancestry(roots) {
					if n == c.x || n == c.part {
						wrt = append(wrt, n)
						break
					}
				}
				gs, err := Gradients(roots, G.Nodes{filled(g, dtype, "seed"+string(rune('0'+i)), y.Shape()...)}, wrt)
				require.NoError(t, err)
				roots = append(roots, gs...)
			}
			for _, n := range roots {
				n, err := Copy(n)
				require.NoError(t, err)
				v := new(G.Value)
				G.Read(n, v)
				reads = append(reads, v)
			}
		}
		require.NoError(t, G.NewTapeMachine(g).RunAll())
		half := len(reads) / 2
		for i := range half {
			require.Equal(t, (*reads[half+i]).Data(), (*reads[i]).Data(), "%s %v", name, dtype)
		}
	}
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		for name, f := range arrayOps {
			if name == "Pow" { // powers of negative numbers are NaN, which equals nothing
				continue
			}
			check(name, dtype, f, true)
		}
		for name, f := range maskOps {
			check(name, dtype, f, false)
		}
	}
}
