// Convolution and products of matrices on tensor cores, for cards of compute capability 8.0 and later.
#define CONV(size, ks) \
	KERNEL BOUNDS##size conv##size##_k##ks##_tf32(float *y, i64 ys, const float *x, i64 xs, const float *w, geom g, parts f) { \
		forward<ks> q(g, f, y, ys, x, xs, w, blockIdx.z); \
		TENSOR##size(q, g.O / g.G, g.N * g.OH * g.OW, 0, q.k_all); \
	}
CONV(16, 0) CONV(16, 1) CONV(16, 3)
CONV(32, 0) CONV(32, 1) CONV(32, 3)
CONV(64, 0) CONV(64, 1) CONV(64, 3)
CONV(128, 0) CONV(128, 1) CONV(128, 3)

#define MATRIX(size) \
	KERNEL BOUNDS##size matrix##size##_tf32(float *c, i64 cm, i64 cp, const float *a, i64 am, i64 ak, const float *b, i64 bk, i64 bp, \
			const float *bias, int rows, int columns, int inner) { \
		strided q = {a, b, bias, c, am, ak, bk, bp, cm, cp, 0}; \
		TENSOR##size(q, rows, columns, 0, inner); \
	}
MATRIX(16)
MATRIX(64)
MATRIX(128)
