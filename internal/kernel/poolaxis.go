package kernel

// poolAxis is one axis of a pooling, in points: the input has in points, a window has k points which are d apart,
// windows start every s points, and begin and end are the padding on the two sides.
type poolAxis struct{ in, k, s, d, begin, end int }

// span returns the number of points from the first to the last of a window, including those that dilation skips.
func (a poolAxis) span() int { return a.d*(a.k-1) + 1 }

// padded tells whether the padding on both sides is possible.
func (a poolAxis) padded() bool {
	return a.begin >= 0 && a.end >= 0 && a.begin < a.span() && a.end < a.span()
}

// out returns the number of windows. With ceil the last window may reach beyond the padded input, but it must start
// inside the input or the padding before it, as in PyTorch and in ONNX.
func (a poolAxis) out(ceil bool) int {
	room := a.in + a.begin + a.end - a.span()
	if ceil {
		room += a.s - 1
	}
	if room < 0 {
		return 0
	}
	out := room/a.s + 1
	if ceil && (out-1)*a.s >= a.in+a.begin {
		out--
	}
	return out
}

// window returns the range of window o's points in the input, and how many of its points lie in the input and in the
// padded input. lo is a point of the window.
func (a poolAxis) window(o int) (lo, hi, inside, padded int) {
	start := o*a.s - a.begin
	lo, hi = poolWindow(start, a.k, a.d, a.in)
	if lo < hi {
		inside = (hi - lo + a.d - 1) / a.d
	}
	return lo, hi, inside, min(a.k, (a.in+a.end-start+a.d-1)/a.d)
}

// poolWindow restricts a window of k points, d apart, to [0, in). lo stays a point of the window.
func poolWindow(start, k, d, in int) (lo, hi int) {
	hi = min(start+(k-1)*d+1, in)
	for start < 0 {
		start += d
	}
	return start, hi
}
