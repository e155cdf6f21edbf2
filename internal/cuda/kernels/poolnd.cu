// Pooling over one to four spatial axes: one thread for each output, or in gradients for each input.
struct pool_nd { int axes, channels, include, in[4], k[4], stride[4], begin[4], end[4], dilation[4], out[4]; };

// Where element i of a plane of so many elements along each axis lies.
__device__ __forceinline__ void place(const pool_nd &g, const int *size, unsigned i, int *at) {
	for (int a = g.axes - 1; a >= 0; a--) at[a] = i % size[a], i /= size[a];
}

__device__ __forceinline__ unsigned elements(const pool_nd &g, const int *size) {
	unsigned n = 1;
	for (int a = 0; a < g.axes; a++) n *= size[a];
	return n;
}

// Visits the points of the window of output o in order, as places in the plane. Returns their number, or with padding the divisor of an
// average that counts it, 0 for a window without a point.
template <class F> __device__ __forceinline__ int visit(const pool_nd &g, const int *o, F f) {
	int tap[4] = {0, 0, 0, 0}, points = 0, padded = 1;
	for (int a = 0; a < g.axes; a++) {
		int start = o[a] * g.stride[a] - g.begin[a], to = start + (g.k[a] - 1) * g.dilation[a] + 1, last = g.in[a] + g.end[a];
		if (to > last) to = last;
		padded *= to > start ? (to - start - 1) / g.dilation[a] + 1 : 0;
	}
	for (;;) {
		i64 at = 0;
		bool inside = true;
		for (int a = 0; a < g.axes; a++) {
			int p = o[a] * g.stride[a] - g.begin[a] + tap[a] * g.dilation[a];
			inside = inside && p >= 0 && p < g.in[a];
			at = at * g.in[a] + p;
		}
		if (inside) points++, f(at);
		int a = g.axes - 1;
		for (; a >= 0; a--) {
			if (++tap[a] < g.k[a]) break;
			tap[a] = 0;
		}
		if (a < 0) return points && g.include ? padded : points;
	}
}

// index, NULL for none, is where in its plane the maximum was: the first of equals, the last of NaNs.
KERNEL max_pool_nd_f32(float *y, i64 ys, int *index, const float *x, i64 xs, pool_nd g, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	unsigned outs = elements(g, g.out), c = e / outs % g.channels, s = e / outs / g.channels;
	int o[4];
	place(g, g.out, e % outs, o);
	const float *plane = x + s * xs + (i64)c * elements(g, g.in);
	float best = -INFINITY;
	int at = 0;
	bool any = false;
	visit(g, o, [&](i64 i) {
		float v = plane[i];
		if (!any || v > best || v != v) best = v, at = (int)i;
		any = true;
	});
	y[s * ys + e % (outs * g.channels)] = best;
	if (index) index[e] = at;
}

KERNEL avg_pool_nd_f32(float *y, i64 ys, const float *x, i64 xs, pool_nd g, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	unsigned outs = elements(g, g.out), c = e / outs % g.channels, s = e / outs / g.channels;
	int o[4];
	place(g, g.out, e % outs, o);
	const float *plane = x + s * xs + (i64)c * elements(g, g.in);
	float sum = 0;
	int n = visit(g, o, [&](i64 i) { sum += plane[i]; });
	y[s * ys + e % (outs * g.channels)] = n ? sum / n : 0.0f;
}

// Visits, in order, the outputs whose window may have the input at p.
template <class F> __device__ __forceinline__ void windows(const pool_nd &g, const int *p, F f) {
	int lo[4], hi[4], o[4];
	for (int a = 0; a < g.axes; a++) {
		int first = p[a] + g.begin[a] - (g.k[a] - 1) * g.dilation[a];
		lo[a] = first <= 0 ? 0 : (first + g.stride[a] - 1) / g.stride[a];
		hi[a] = (p[a] + g.begin[a]) / g.stride[a];
		if (hi[a] >= g.out[a]) hi[a] = g.out[a] - 1;
		if (lo[a] > hi[a]) return;
		o[a] = lo[a];
	}
	for (;;) {
		bool has = true;
		i64 at = 0;
		for (int a = 0; a < g.axes; a++) {
			has = has && (p[a] + g.begin[a] - o[a] * g.stride[a]) % g.dilation[a] == 0;
			at = at * g.out[a] + o[a];
		}
		if (has) f(o, at);
		int a = g.axes - 1;
		for (; a >= 0; a--) {
			if (++o[a] <= hi[a]) break;
			o[a] = lo[a];
		}
		if (a < 0) return;
	}
}

#define OF_INPUT \
	unsigned e = thread_id(); \
	if (e >= total) return; \
	unsigned ins = elements(g, g.in), outs = elements(g, g.out), c = e / ins % g.channels, s = e / ins / g.channels; \
	int p[4]; \
	place(g, g.in, e % ins, p); \
	float sum = 0;

KERNEL max_pool_nd_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const int *index, pool_nd g, unsigned total) {
	OF_INPUT
	const int *plane = index + ((i64)s * g.channels + c) * outs;
	windows(g, p, [&](const int *, i64 o) {
		if (plane[o] == (int)(e % ins)) sum += dy[s * gs + c * outs + o];
	});
	dx[s * ds + e % (ins * g.channels)] = sum;
}

KERNEL avg_pool_nd_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, pool_nd g, unsigned total) {
	OF_INPUT
	windows(g, p, [&](const int *at, i64 o) {
		int n = visit(g, at, [](i64) {});
		if (n) sum += dy[s * gs + c * outs + o] / n;
	});
	dx[s * ds + e % (ins * g.channels)] = sum;
}
