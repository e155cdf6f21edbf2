// Convolution in float32: conv.cuh in tiles of four sizes.
#define CONV(size, ks) \
	KERNEL BOUNDS##size conv##size##_k##ks##_f32(float *y, i64 ys, const float *x, i64 xs, const float *w, geom g, parts f) { \
		forward<ks> q(g, f, y, ys, x, xs, w, blockIdx.z); \
		TILE##size(q, g.O / g.G, g.N * g.OH * g.OW, 0, q.k_all); \
	}
CONV(16, 0) CONV(16, 1) CONV(16, 3)
CONV(32, 0) CONV(32, 1) CONV(32, 3)
CONV(64, 0) CONV(64, 1) CONV(64, 3)
CONV(128, 0) CONV(128, 1) CONV(128, 3)

// One input channel for each group: one thread for each output.
KERNEL depthwise_f32(float *y, i64 ys, const float *x, i64 xs, const float *w, geom g, parts f, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	int ox = e % g.OW, oy = e / g.OW % g.OH, o = e / (g.OW * g.OH) % g.O, s = e / (g.OW * g.OH * g.O);
	int c = o / (g.O / g.G), y0 = oy * g.SH - g.PH, x0 = ox * g.SW - g.PW;
	const float *plane = x + s * xs + (i64)c * g.H * g.W, *k = w + (i64)o * g.KH * g.KW;
	float a = f.pre_scale ? f.pre_scale[c] : 1.0f, b = f.pre_scale ? f.pre_shift[c] : 0.0f, v = 0;
	for (int i = 0; i < g.KH; i++) {
		int yy = y0 + i * g.DH;
		if ((unsigned)yy >= (unsigned)g.H) continue;
		for (int j = 0; j < g.KW; j++) {
			int xx = x0 + j * g.DW;
			if ((unsigned)xx >= (unsigned)g.W) continue;
			float u = plane[yy * g.W + xx];
			if (f.pre_scale) u = fmaf(a, u, b);
			if (f.pre_relu && u < 0) u = 0;
			v = fmaf(k[i * g.KW + j], u, v);
		}
	}
	i64 i = ((i64)o * g.OH + oy) * g.OW + ox;
	if (f.post_scale) v *= f.post_scale[o];
	if (f.post_shift) v += f.post_shift[o];
	if (f.residual) v += f.residual[s * f.residual_stride + i];
	y[s * ys + i] = f.act == 0 ? v : f.act == 1 ? (v < 0 ? 0.0f : v) : activate(f.act, v, f.a, f.b);
}
