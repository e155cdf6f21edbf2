// Convolution as a product of matrices that never lie in memory (implicit GEMM): rows are output channels, columns the pixels of all
// samples, and k runs over (input channel, kernel row, kernel column) in the weights' order. Grid z numbers the groups.
//
//	y = act(post_scale conv(relu?(pre_scale x + pre_shift)) + post_shift + residual)
//
// Padding is zeros of the activated input. Null pointers leave their part out.
struct geom { int C, H, W, O, KH, KW, SH, SW, PH, PW, DH, DW, G, OH, OW, N; };
struct parts { const float *pre_scale, *pre_shift, *post_scale, *post_shift, *residual; i64 residual_stride; int pre_relu, act; float a, b; };

// KS is the side of the kernel, 0 where it is in the geometry alone. With 1, stride 1 and no padding are meant, too.
template <int KS> struct forward {
	geom g;
	parts f;
	const float *x, *w;
	float *y;
	i64 xs, ys;
	int group, c0, k_all, iy, ix;
	const float *at;
	__device__ forward(const geom &g, const parts &f, float *y, i64 ys, const float *x, i64 xs, const float *w, int group)
		: g(g), f(f), x(x), w(w), y(y), xs(xs), ys(ys), group(group) {
		c0 = group * (g.C / g.G);
		k_all = g.C / g.G * (KS ? KS * KS : g.KH * g.KW);
	}
	__device__ __forceinline__ void column(int p) {
		int plane = g.OH * g.OW, s = p / plane, i = p % plane;
		at = x + s * xs + (i64)c0 * g.H * g.W;
		if (KS == 1) {
			at += i;
			return;
		}
		iy = i / g.OW * g.SH - g.PH;
		ix = i % g.OW * g.SW - g.PW;
	}
	__device__ __forceinline__ float left(int m, int k) { return w[(i64)(group * (g.O / g.G) + m) * k_all + k]; }
	__device__ __forceinline__ float right(int k) {
		int c = k;
		float v;
		if (KS == 1) {
			v = at[(i64)k * g.H * g.W];
		} else {
			int area = KS ? KS * KS : g.KH * g.KW, side = KS ? KS : g.KW;
			c = k / area;
			int r = k % area, yy = iy + r / side * g.DH, xx = ix + r % side * g.DW;
			if ((unsigned)yy >= (unsigned)g.H || (unsigned)xx >= (unsigned)g.W) return 0;
			v = at[((i64)c * g.H + yy) * g.W + xx];
		}
		if (f.pre_scale) v = fmaf(f.pre_scale[c0 + c], v, f.pre_shift[c0 + c]);
		return f.pre_relu && v < 0 ? 0.0f : v;
	}
	__device__ __forceinline__ void put(int m, int p, float v) {
		int plane = g.OH * g.OW, s = p / plane, o = group * (g.O / g.G) + m;
		i64 i = (i64)o * plane + p % plane;
		if (f.post_scale) v *= f.post_scale[o];
		if (f.post_shift) v += f.post_shift[o];
		if (f.residual) v += f.residual[s * f.residual_stride + i];
		y[s * ys + i] = f.act == 0 ? v : f.act == 1 ? (v < 0 ? 0.0f : v) : activate(f.act, v, f.a, f.b);
	}
};
