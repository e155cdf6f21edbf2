// Pooling: one thread for each output, or in gradients for each input, which looks for the windows that have it.
struct pool { int C, H, W, KH, KW, SH, SW, PH, PW, DH, DW, EH, EW, OH, OW, include, relu; };

// The part of an axis's window o that lies in the input of n elements: from lo on, before hi; inside elements, padded with padding.
struct range { int lo, hi, inside, padded; };

__device__ __forceinline__ range window(int o, int n, int k, int stride, int pad, int dilation, int end) {
	range r;
	int start = o * stride - pad, last = n + end;
	r.lo = start < 0 ? start + (-start + dilation - 1) / dilation * dilation : start;
	r.hi = start + (k - 1) * dilation + 1;
	if (r.hi > n) r.hi = n;
	r.inside = r.hi > r.lo ? (r.hi - r.lo - 1) / dilation + 1 : 0;
	int to = start + (k - 1) * dilation + 1;
	if (to > last) to = last;
	r.padded = to > start ? (to - start - 1) / dilation + 1 : 0;
	return r;
}

#define WINDOWS \
	range y = window(oy, g.H, g.KH, g.SH, g.PH, g.DH, g.PH + g.EH), x = window(ox, g.W, g.KW, g.SW, g.PW, g.DW, g.PW + g.EW);

// index, NULL for none, is where in its plane the maximum was: the first of equals, the last of NaNs.
KERNEL max_pool_f32(float *dst, i64 ds, int *index, const float *src, i64 ss, pool g, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	int ox = e % g.OW, oy = e / g.OW % g.OH, c = e / (g.OW * g.OH) % g.C, s = e / (g.OW * g.OH * g.C);
	WINDOWS
	const float *plane = src + s * ss + (i64)c * g.H * g.W;
	float best = -INFINITY;
	int at = (y.lo < g.H - 1 ? y.lo : g.H - 1) * g.W + (x.lo < g.W - 1 ? x.lo : g.W - 1);
	for (int iy = y.lo; iy < y.hi; iy += g.DH)
		for (int ix = x.lo; ix < x.hi; ix += g.DW) {
			float v = plane[iy * g.W + ix];
			if (v > best || v != v) best = v, at = iy * g.W + ix;
		}
	dst[s * ds + (c * g.OH + oy) * g.OW + ox] = best;
	if (index) index[e] = at;
}

// A window without a point in the input passes nothing on.
KERNEL max_pool_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const int *index, pool g, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	int ix = e % g.W, iy = e / g.W % g.H, c = e / (g.W * g.H) % g.C, s = e / (g.W * g.H * g.C), at = iy * g.W + ix;
	float sum = 0;
	int y0 = iy + g.PH - (g.KH - 1) * g.DH, x0 = ix + g.PW - (g.KW - 1) * g.DW;
	int oy = y0 <= 0 ? 0 : (y0 + g.SH - 1) / g.SH;
	for (; oy < g.OH && oy * g.SH <= iy + g.PH; oy++) {
		int ox = x0 <= 0 ? 0 : (x0 + g.SW - 1) / g.SW;
		for (; ox < g.OW && ox * g.SW <= ix + g.PW; ox++) {
			int o = (c * g.OH + oy) * g.OW + ox;
			if (index[(i64)s * g.C * g.OH * g.OW + o] == at) sum += dy[s * gs + o];
		}
	}
	dx[s * ds + (i64)c * g.H * g.W + at] = sum;
}

// The mean over each window of the input, or with scale of relu?(scale[c] x + shift[c]).
KERNEL avg_pool_f32(float *dst, i64 ds, const float *src, i64 ss, const float *scale, const float *shift, pool g, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	int ox = e % g.OW, oy = e / g.OW % g.OH, c = e / (g.OW * g.OH) % g.C, s = e / (g.OW * g.OH * g.C);
	WINDOWS
	const float *plane = src + s * ss + (i64)c * g.H * g.W;
	float a = scale ? scale[c] : 1.0f, b = scale ? shift[c] : 0.0f, sum = 0;
	for (int iy = y.lo; iy < y.hi; iy += g.DH)
		for (int ix = x.lo; ix < x.hi; ix += g.DW) {
			float v = plane[iy * g.W + ix];
			if (scale) v = fmaf(a, v, b);
			if (g.relu && v < 0) v = 0;
			sum += v;
		}
	int div = y.inside * x.inside;
	if (div && g.include) div = y.padded * x.padded;
	dst[s * ds + (c * g.OH + oy) * g.OW + ox] = div ? sum / div : 0.0f;
}

KERNEL avg_pool_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, pool g, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	int ix = e % g.W, iy = e / g.W % g.H, c = e / (g.W * g.H) % g.C, s = e / (g.W * g.H * g.C);
	float sum = 0;
	int y0 = iy + g.PH - (g.KH - 1) * g.DH, x0 = ix + g.PW - (g.KW - 1) * g.DW;
	for (int oy = y0 <= 0 ? 0 : (y0 + g.SH - 1) / g.SH; oy < g.OH && oy * g.SH <= iy + g.PH; oy++) {
		if ((iy + g.PH - oy * g.SH) % g.DH) continue;
		for (int ox = x0 <= 0 ? 0 : (x0 + g.SW - 1) / g.SW; ox < g.OW && ox * g.SW <= ix + g.PW; ox++) {
			if ((ix + g.PW - ox * g.SW) % g.DW) continue;
			WINDOWS
			int div = g.include ? y.padded * x.padded : y.inside * x.inside;
			if (div) sum += dy[s * gs + (c * g.OH + oy) * g.OW + ox] / div;
		}
	}
	dx[s * ds + (i64)(c * g.H + iy) * g.W + ix] = sum;
}

// Means over planes, one block for each plane.
KERNEL global_avg_f32(float *y, i64 ys, const float *x, i64 xs, int channels, int plane) {
	__shared__ double part[128];
	int c = blockIdx.x % channels, s = blockIdx.x / channels;
	double sum = 0;
	for (int i = threadIdx.x; i < plane; i += blockDim.x) sum += x[s * xs + (i64)c * plane + i];
	sum = block_sum(sum, part);
	if (threadIdx.x == 0) y[s * ys + c] = (float)sum / plane;
}

KERNEL global_avg_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, unsigned plane, unsigned size, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	unsigned s = e / size, i = e % size;
	dx[s * ds + i] = dy[s * gs + i / plane] / plane;
}

// Maxima over planes and where they were, NULL for unwanted: one thread for each plane, in order, as NaNs and equals want it.
KERNEL global_max_f32(float *y, i64 ys, int *index, const float *x, i64 xs, int channels, int plane, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	int c = e % channels, s = e / channels, at = 0;
	float best = -INFINITY;
	for (int i = 0; i < plane; i++) {
		float v = x[s * xs + (i64)c * plane + i];
		if (v > best || v != v) best = v, at = i;
	}
	y[s * ys + c] = best;
	if (index) index[e] = at;
}

KERNEL global_max_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const int *index, unsigned plane, unsigned size, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	unsigned s = e / size, i = e % size, c = i / plane;
	dx[s * ds + i] = index[s * (size / plane) + c] == i % plane ? dy[s * gs + c] : 0.0f;
}
