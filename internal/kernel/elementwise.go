package kernel

// Affine computes dst[c, i] = relu?(scale[c]*src[c, i] + shift[c]) for channels c and positions i < hw.
// A nil scale is ones, a nil shift zeros. dst may be src.
func Affine[T Float](dst, src, scale, shift []T, channels, hw int, relu bool) {
	affineGeneric(dst, src, scale, shift, channels, hw, relu)
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

// AffineBackward computes dx[c, i] = scale[c]*dy[c, i], with relu only where the forward output y is positive and zero
// elsewhere. y is read only with relu. With accumulate, dx += instead of dx =. dx may be dy.
func AffineBackward[T Float](dx, dy, y, scale []T, channels, hw int, relu, accumulate bool) {
	affineBackwardGeneric(dx, dy, y, scale, channels, hw, relu, accumulate)
}

func affineBackwardGeneric[T Float](dx, dy, y, scale []T, channels, hw int, relu, accumulate bool) {
	for c := range channels {
		a := T(1)
		if scale != nil {
			a = scale[c]
		}
		for i := c * hw; i < (c+1)*hw; i++ {
			v := a * dy[i]
			if relu && !(y[i] > 0) {
				v = 0
			}
			if accumulate {
				v += dx[i]
			}
			dx[i] = v
		}
	}
}

// ReLU computes dst = max(src, 0); NaN stays NaN. dst may be src.
func ReLU[T Float](dst, src []T) {
	dst = dst[:len(src)]
	for i, v := range src {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

// ReLUBackward computes dx = dy where the forward output (or input) y is positive, zero elsewhere. dx may be dy.
func ReLUBackward[T Float](dx, dy, y []T) { reluBackwardGeneric(dx, dy, y) }

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
	for i, v := range a {
		dst[i] = v + b[i]
	}
}

// AddTo computes dst += a.
func AddTo[T Float](dst, a []T) { Add(dst[:len(a)], dst[:len(a)], a) }

// Mul computes dst = a * b. dst may be a or b.
func Mul[T Float](dst, a, b []T) {
	dst, b = dst[:len(a)], b[:len(a)]
	for i, v := range a {
		dst[i] = v * b[i]
	}
}

// Scale computes dst = alpha * a. dst may be a.
func Scale[T Float](dst, a []T, alpha T) {
	dst = dst[:len(a)]
	for i, v := range a {
		dst[i] = alpha * v
	}
}

// Axpy computes dst += alpha * x.
func Axpy[T Float](dst, x []T, alpha T) { axpyGeneric(dst, x, alpha) }

func axpyGeneric[T Float](dst, x []T, alpha T) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] += alpha * v
	}
}

// Dot returns the sum of a*b.
func Dot[T Float](a, b []T) T { return dotGeneric(a, b) }

func dotGeneric[T Float](a, b []T) T {
	b = b[:len(a)]
	var s T
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func sumGeneric[T Float](a []T) T {
	var s T
	for _, v := range a {
		s += v
	}
	return s
}

// ClipMax computes dst = min(src, limit); NaN stays NaN. limit has one element, or one per neuron and then repeats
// over the batch. dst may be src.
func ClipMax[T Float](dst, src, limit []T) {
	dst = dst[:len(src)]
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
	for i := 0; i < len(dy); i += len(limit) {
		for j := 0; j < len(limit) && i+j < len(dy); j++ {
			v := dy[i+j]
			if src[i+j] > limit[j] {
				v = 0
			}
			dx[i+j] = v
		}
	}
}
