// Gradients of convolutions; geometry and what is fused are those of conv.cuh.
// What the gradient by the input knows: the gradient dy and, where a ReLU follows the convolution, its value y (else NULL); the input
// x, read where a ReLU stands before it.
struct back {
	const float *dy, *y, *x, *pre_scale, *pre_shift, *post_scale;
	i64 dys, ys, xs;
	int pre_relu;
};

__device__ __forceinline__ float gated(const back &f, int s, int o, i64 i) {
	if (f.y && !(f.y[s * f.ys + i] > 0)) return 0;
	float v = f.dy[s * f.dys + i];
	return f.post_scale ? v * f.post_scale[o] : v;
}

// What v is worth before what stands before the convolution.
__device__ __forceinline__ float unfused(const back &f, int s, int c, i64 i, float v) {
	if (f.pre_relu) {
		float u = f.x[s * f.xs + i];
		if (f.pre_scale) u = fmaf(f.pre_scale[c], u, f.pre_shift[c]);
		if (!(u > 0)) return 0;
	}
	return f.pre_scale ? v * f.pre_scale[c] : v;
}

// Rows are input channels, columns the pixels of the input of all samples, k runs over (output channel, kernel row, kernel column).
template <int KS> struct by_input {
	geom g;
	back f;
	const float *w;
	float *dx;
	i64 dxs;
	int group, area, s, iy, ix;
	__device__ by_input(const geom &g, const back &f, float *dx, i64 dxs, const float *w, int group) : g(g), f(f), w(w), dx(dx), dxs(dxs), group(group) {
		area = KS ? KS * KS : g.KH * g.KW;
	}
	__device__ __forceinline__ void column(int p) {
		int plane = g.H * g.W, i = p % plane;
		s = p / plane, iy = i / g.W + g.PH, ix = i % g.W + g.PW;
	}
	__device__ __forceinline__ float left(int m, int k) {
		return w[((i64)(group * (g.O / g.G) + k / area) * (g.C / g.G) + m) * area + k % area];
	}
	__device__ __forceinline__ float right(int k) {
		int side = KS ? KS : g.KW, r = k % area, o = group * (g.O / g.G) + k / area;
		int yy = iy - r / side * g.DH, xx = ix - r % side * g.DW;
		if (yy < 0 || xx < 0) return 0;
		if (g.SH != 1 || g.SW != 1) {
			if (yy % g.SH || xx % g.SW) return 0;
			yy /= g.SH, xx /= g.SW;
		}
		if (yy >= g.OH || xx >= g.OW) return 0;
		return gated(f, s, o, ((i64)o * g.OH + yy) * g.OW + xx);
	}
	__device__ __forceinline__ void put(int m, int p, float v) {
		int plane = g.H * g.W, s = p / plane, c = group * (g.C / g.G) + m;
		i64 i = (i64)c * plane + p % plane;
		dx[s * dxs + i] = unfused(f, s, c, i, v);
	}
};

#define BY_INPUT(size, ks) \
	KERNEL BOUNDS##size conv_dx##size##_k##ks##_f32(float *dx, i64 dxs, const float *w, geom g, back f) { \
		by_input<ks> q(g, f, dx, dxs, w, blockIdx.z); \
		TILE##size(q, g.C / g.G, g.N * g.H * g.W, 0, g.O / g.G * q.area); \
	}
BY_INPUT(16, 0) BY_INPUT(16, 1) BY_INPUT(16, 3)
BY_INPUT(64, 0) BY_INPUT(64, 1) BY_INPUT(64, 3)
BY_INPUT(128, 0) BY_INPUT(128, 1) BY_INPUT(128, 3)

// One input channel for each group: one thread for each input.
KERNEL depthwise_dx_f32(float *dx, i64 dxs, const float *w, geom g, back f, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	int ix = e % g.W, iy = e / g.W % g.H, c = e / (g.W * g.H) % g.C, s = e / (g.W * g.H * g.C), many = g.O / g.G;
	float sum = 0;
	for (int o = c * many; o < (c + 1) * many; o++)
		for (int i = 0; i < g.KH; i++)
			for (int j = 0; j < g.KW; j++) {
				int yy = iy + g.PH - i * g.DH, xx = ix + g.PW - j * g.DW;
				if (yy < 0 || xx < 0 || yy % g.SH || xx % g.SW) continue;
				yy /= g.SH, xx /= g.SW;
				if (yy < g.OH && xx < g.OW)
					sum = fmaf(w[((i64)o * g.KH + i) * g.KW + j], gated(f, s, o, ((i64)o * g.OH + yy) * g.OW + xx), sum);
			}
	i64 i = ((i64)c * g.H + iy) * g.W + ix;
	dx[s * dxs + i] = unfused(f, s, c, i, sum);
}

// Rows are output channels, columns (input channel, kernel row, kernel column), k runs over the pixels of all samples. Grid z numbers
// parts of k, each with a matrix of partial sums of its own, which sum_parts adds up.
struct by_weight {
	geom g;
	const float *dy, *x;
	float *dw;
	i64 dys, xs;
	int group, c, dy0, dx0;
	__device__ __forceinline__ void column(int p) {
		int area = g.KH * g.KW, r = p % area;
		c = group * (g.C / g.G) + p / area;
		dy0 = r / g.KW * g.DH - g.PH, dx0 = r % g.KW * g.DW - g.PW;
	}
	__device__ __forceinline__ float left(int m, int k) {
		int plane = g.OH * g.OW;
		return dy[k / plane * dys + (i64)(group * (g.O / g.G) + m) * plane + k % plane];
	}
	__device__ __forceinline__ float right(int k) {
		int plane = g.OH * g.OW, i = k % plane, yy = i / g.OW * g.SH + dy0, xx = i % g.OW * g.SW + dx0;
		if ((unsigned)yy >= (unsigned)g.H || (unsigned)xx >= (unsigned)g.W) return 0;
		return x[k / plane * xs + ((i64)c * g.H + yy) * g.W + xx];
	}
	__device__ __forceinline__ void put(int m, int p, float v) {
		int columns = g.C / g.G * g.KH * g.KW;
		dw[(i64)(group * (g.O / g.G) + m) * columns + p] = v;
	}
};

#define BY_WEIGHT(size) \
	KERNEL BOUNDS##size conv_dw##size##_f32(float *dw, const float *dy, i64 dys, const float *x, i64 xs, geom g, int parts, int step) { \
		int columns = g.C / g.G * g.KH * g.KW, group = blockIdx.z % g.G, part = blockIdx.z / g.G, all = g.N * g.OH * g.OW; \
		by_weight q = {g, dy, x, dw + (i64)part * g.O * columns, dys, xs, group, 0, 0, 0}; \
		int from = part * step, to = from + step < all ? from + step : all; \
		TILE##size(q, g.O / g.G, columns, from, to); \
	}
BY_WEIGHT(16)
BY_WEIGHT(64)

KERNEL sum_parts_f32(float *y, const float *x, int parts, unsigned n) {
	unsigned e = thread_id();
	if (e >= n) return;
	float sum = 0;
	for (int i = 0; i < parts; i++) sum += x[(i64)i * n + e];
	y[e] = sum;
}

// The gradient by the weights with one input channel for each group: a block of 128 threads for each weight.
KERNEL depthwise_dw_f32(float *dw, const float *dy, i64 dys, const float *x, i64 xs, geom g) {
	__shared__ double part[128];
	int j = blockIdx.x % g.KW, i = blockIdx.x / g.KW % g.KH, o = blockIdx.x / (g.KW * g.KH), c = o / (g.O / g.G), plane = g.OH * g.OW;
	double sum = 0;
	for (i64 e = threadIdx.x; e < (i64)g.N * plane; e += blockDim.x) {
		i64 s = e / plane;
		int p = e % plane, yy = p / g.OW * g.SH + i * g.DH - g.PH, xx = p % g.OW * g.SW + j * g.DW - g.PW;
		if ((unsigned)yy >= (unsigned)g.H || (unsigned)xx >= (unsigned)g.W) continue;
		sum += (double)dy[s * dys + (i64)o * plane + p] * x[s * xs + ((i64)c * g.H + yy) * g.W + xx];
	}
	sum = block_sum(sum, part);
	if (threadIdx.x == 0) dw[blockIdx.x] = (float)sum;
}
