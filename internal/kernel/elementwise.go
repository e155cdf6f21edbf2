package kernel

import "math"

// Affine computes dst[c, i] = relu?(scale[c]*src[c, i] + shift[c]) for channels c and positions i < hw.
// A nil scale is ones, a nil shift zeros. dst may be src.
func Affine[T Float](dst, src, scale, shift []T, channels, hw int, relu bool) {
	if !is32[T]() || currentLevel() == generic {
		affineGeneric(dst, src, scale, shift, channels, hw, relu)
		return
	}
	st := stream{op: opAffine, floor: float32(math.Inf(-1))}
	if relu {
		st.floor = 0
	}
	for c := range channels {
		st.dst, st.a, st.s, st.t = as32(dst[c*hw:][:hw]), as32(src[c*hw:][:hw]), 1, 0
		if scale != nil {
			st.s = float32(scale[c])
		}
		if shift != nil {
			st.t = float32(shift[c])
		}
		st.run()
	}
}

func affineGeneric[T Float](dst, src, scale, shift []T, channels, hw int, relu bool) {
	for c := range channels {
		a, b := T(1), T(0)
		if scale != nil {
			a = scale[c]
		}
		if shift != nil {
			b = shift[c]
		}
		s, d := src[c*hw:][:hw], dst[c*hw:][:hw]
		for i, v := range s {
			v = a*v + b
			if relu && v < 0 {
				v = 0
			}
			d[i] = v
		}
	}
}

// AffineBackward computes dx[c, i] = scale[c]*dy[c, i]. With relu the result is zero except where the forward output y
// is positive; y is read only then. A nil scale is ones. With accumulate the result is added to dx. dx may be dy.
func AffineBackward[T Float](dx, dy, y, scale []T, channels, hw int, relu, accumulate bool) {
	for c := range channels {
		a := T(1)
		if scale != nil {
			a = scale[c]
		}
		d, g := dx[c*hw:][:hw], dy[c*hw:][:hw]
		switch {
		case relu && is32[T]() && gate32(as32(d), as32(g), as32(y[c*hw:][:hw]), float32(a), accumulate):
		case !relu && is32[T]() && scale32(as32(d), as32(g), float32(a), accumulate):
		default:
			var mask []T
			if relu {
				mask = y[c*hw:][:hw]
			}
			affineBackwardGeneric(d, g, mask, a, accumulate)
		}
	}
}

func scale32(dst, a []float32, s float32, accumulate bool) bool {
	st := stream{op: opScale, dst: dst, a: a, s: s}
	if accumulate {
		st.op = opAxpy
	}
	return st.run()
}

func affineBackwardGeneric[T Float](dx, dy, y []T, a T, accumulate bool) {
	for i, g := range dy {
		v := a * g
		if y != nil && !(y[i] > 0) {
			v = 0
		}
		if accumulate {
			v += dx[i]
		}
		dx[i] = v
	}
}

// ReLU computes dst = max(src, 0); NaN stays NaN. dst may be src.
func ReLU[T Float](dst, src []T) {
	dst = dst[:len(src)]
	if is32[T]() && (&stream{op: opAtLeast, dst: as32(dst), a: as32(src)}).run() {
		return
	}
	for i, v := range src {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

// ReLUBackward computes dx = dy where the forward output (or input) y is positive, zero elsewhere. dx may be dy.
func ReLUBackward[T Float](dx, dy, y []T) {
	dx, y = dx[:len(dy)], y[:len(dy)]
	if is32[T]() && gate32(as32(dx), as32(dy), as32(y), 1, false) {
		return
	}
	reluBackwardGeneric(dx, dy, y)
}

func reluBackwardGeneric[T Float](dx, dy, y []T) {
	dx, y = dx[:len(dy)], y[:len(dy)]
	for i, v := range dy {
		if !(y[i] > 0) {
			v = 0
		}
		dx[i] = v
	}
}

// Add computes dst = a + b. dst may be a or b.
func Add[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	if is32[T]() && (&stream{op: opAdd, dst: as32(dst), a: as32(a), b: as32(b)}).run() {
		return
	}
	for i, v := range a {
		dst[i] = v + b[i]
	}
}

// AddTo computes dst += a.
func AddTo[T Float](dst, a []T) { Add(dst[:len(a)], dst[:len(a)], a) }

// Mix computes dst = r + m*(p-r), for present activations p, removed activations r and a mask m: exactly p where m is 1
// and r where m is 0. Every step is rounded, at every instruction set. dst may be any of the others.
func Mix[T Float](dst, m, p, r []T) {
	dst, p, r = dst[:len(m)], p[:len(m)], r[:len(m)]
	if is32[T]() && (&stream{op: opMix, dst: as32(dst), a: as32(m), b: as32(p), c: as32(r), s: 1}).run() {
		return
	}
	for i, v := range m {
		switch v {
		case 1:
			dst[i] = p[i]
		case 0:
			dst[i] = r[i]
		default:
			d := T(p[i] - r[i])
			d = T(v * d)
			dst[i] = r[i] + d
		}
	}
}

// Mul computes dst = a * b. dst may be a or b.
func Mul[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	if is32[T]() && (&stream{op: opMul, dst: as32(dst), a: as32(a), b: as32(b)}).run() {
		return
	}
	for i, v := range a {
		dst[i] = v * b[i]
	}
}

// Scale computes dst = alpha * a. dst may be a.
func Scale[T Float](dst, a []T, alpha T) {
	dst = dst[:len(a)]
	if is32[T]() && (&stream{op: opScale, dst: as32(dst), a: as32(a), s: float32(alpha)}).run() {
		return
	}
	for i, v := range a {
		dst[i] = alpha * v
	}
}

// Axpy computes dst += alpha * x.
func Axpy[T Float](dst, x []T, alpha T) {
	dst = dst[:len(x)]
	if is32[T]() && (&stream{op: opAxpy, dst: as32(dst), a: as32(x), s: float32(alpha)}).run() {
		return
	}
	axpyGeneric(dst, x, alpha)
}

func axpyGeneric[T Float](dst, x []T, alpha T) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] += alpha * v
	}
}

// Dot returns the sum of a*b.
func Dot[T Float](a, b []T) T {
	b = b[:len(a)]
	var sum [1]T
	if len(a) > 0 && is32[T]() && dots32(1, len(a), as32(a), 0, as32(b), 0, 1, as32(sum[:]), 0) {
		return sum[0]
	}
	return dotGeneric(a, b)
}

// dotGeneric sums in four lanes, which the CPU can process in parallel.
func dotGeneric[T Float](a, b []T) T {
	var s [4]T
	for len(a) >= 4 {
		x, y := a[:4], b[:4]
		s[0] += x[0] * y[0]
		s[1] += x[1] * y[1]
		s[2] += x[2] * y[2]
		s[3] += x[3] * y[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s[i] += v * b[i]
	}
	return (s[0] + s[2]) + (s[1] + s[3])
}

func sumGeneric[T Float](a []T) T {
	var s T
	for _, v := range a {
		s += v
	}
	return s
}

// ClipMax computes dst = min(src, limit); NaN stays NaN. limit has one element, or one per neuron, repeated for every
// sample of the batch. dst may be src.
func ClipMax[T Float](dst, src, limit []T) {
	dst = dst[:len(src)]
	if is32[T]() {
		st := stream{op: opAtMost1, dst: as32(dst), a: as32(src), s: float32(limit[0])}
		if len(limit) == 1 && st.run() || len(limit) > 1 && st.perNeuron(opAtMost, as32(limit)) {
			return
		}
	}
	for i := 0; i < len(src); i += len(limit) {
		for j := 0; j < len(limit) && i+j < len(src); j++ {
			v := src[i+j]
			if v > limit[j] {
				v = limit[j]
			}
			dst[i+j] = v
		}
	}
}

// ClipMaxBackward computes dx = dy where src <= limit, the boundary included as in torch.clamp, zero elsewhere.
// dx may be dy.
func ClipMaxBackward[T Float](dx, dy, src, limit []T) {
	dx, src = dx[:len(dy)], src[:len(dy)]
	if is32[T]() {
		st := stream{op: opWhereAtMost1, dst: as32(dx), a: as32(dy), c: as32(src), s: float32(limit[0])}
		if len(limit) == 1 && st.run() || len(limit) > 1 && st.perNeuron(opWhereAtMost, as32(limit)) {
			return
		}
	}
	for i := 0; i < len(dy); i += len(limit) {
		for j := 0; j < len(limit) && i+j < len(dy); j++ {
			v := dy[i+j]
			if !(src[i+j] <= limit[j]) {
				v = 0
			}
			dx[i+j] = v
		}
	}
}

// perNeuron runs op, with limit as its input b, once for every repetition of limit.
func (st *stream) perNeuron(op streamOp, limit []float32) bool {
	whole := *st
	st.op = op
	for i := 0; i < len(whole.dst); i += len(limit) {
		n := min(len(limit), len(whole.dst)-i)
		st.dst, st.a, st.b = whole.dst[i:i+n], whole.a[i:i+n], limit[:n]
		if whole.c != nil {
			st.c = whole.c[i : i+n]
		}
		if !st.run() {
			return false
		}
	}
	return true
}
