package onnx

import (
	"fmt"
	"slices"
)

func foldMatMul(t *tracer, _ *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	a, b := in[0], in[1]
	shape, err := matMulShape(a.shape, b.shape)
	if err != nil {
		return nil, err
	}
	sa, sb := slices.Clone(a.shape), slices.Clone(b.shape)
	if len(sa) == 1 {
		sa = []int{1, sa[0]}
	}
	if len(sb) == 1 {
		sb = []int{sb[0], 1}
	}
	m, k, q := sa[len(sa)-2], sa[len(sa)-1], sb[len(sb)-1]
	batch, err := broadcast(sa[:len(sa)-2], sb[:len(sb)-2])
	if err != nil {
		return nil, err
	}
	size := product(batch)
	if m > 0 && q > 0 && k > 0 && size > t.work/m/q/k {
		return nil, t.spend(t.work + 1)
	}
	if err := t.spend(size * m * k * q); err != nil {
		return nil, err
	}
	out := newConstant(a.elem, shape...)
	oa := offsets(batch, broadcastStrides(sa[:len(sa)-2], batch))
	ob := offsets(batch, broadcastStrides(sb[:len(sb)-2], batch))
	for i := range oa {
		for r := range m {
			for c := range q {
				sum := 0.0
				for j := range k {
					sum += a.at(oa[i]*m*k+r*k+j) * b.at(ob[i]*k*q+j*q+c)
				}
				out.set((i*m+r)*q+c, sum)
			}
		}
	}
	return []*constant{out}, nil
}

// matMulShape returns the shape of a matrix product by NumPy's rules.
func matMulShape(a, b []int) ([]int, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, fmt.Errorf("expected at least one axis each, got shapes %v and %v", a, b)
	}
	sa, sb := a, b
	if len(a) == 1 {
		sa = []int{1, a[0]}
	}
	if len(b) == 1 {
		sb = []int{b[0], 1}
	}
	if sa[len(sa)-1] != sb[len(sb)-2] {
		return nil, fmt.Errorf("shapes %v and %v do not fit one another", a, b)
	}
	out, err := broadcast(sa[:len(sa)-2], sb[:len(sb)-2])
	if err != nil {
		return nil, fmt.Errorf("shapes %v and %v do not fit one another", a, b)
	}
	if len(a) > 1 {
		out = append(out, sa[len(sa)-2])
	}
	if len(b) > 1 {
		out = append(out, sb[len(sb)-1])
	}
	_, err = sizeOf(out)
	return out, err
}

func foldCumSum(_ *tracer, n *node, in []*constant) ([]*constant, error) {
	if err := wantInputs(in, 2, 2); err != nil {
		return nil, err
	}
	x := in[0]
	if in[1].len() != 1 {
		return nil, fmt.Errorf("axis: expected a scalar, got shape %v", in[1].shape)
	}
	axis, err := axisIn(int(in[1].intAt(0)), len(x.shape))
	if err != nil {
		return nil, err
	}
	out := newConstant(x.elem, x.shape...)
	size, inner := x.shape[axis], product(x.shape[axis+1:])
	exclusive, reverse := n.int("exclusive", 0) != 0, n.int("reverse", 0) != 0
	for o := range product(x.shape[:axis]) {
		for i := range inner {
			sum := 0.0
			for s := range size {
				if reverse {
					s = size - 1 - s
				}
				at := (o*size+s)*inner + i
				if exclusive {
					out.set(at, sum)
				}
				sum += x.at(at)
				if !exclusive {
					out.set(at, sum)
				}
			}
		}
	}
	return []*constant{out}, nil
}
