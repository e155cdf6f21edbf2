// Products of matrices in float32: matrix.cuh in tiles of three sizes.
#define MATRIX(size) \
	KERNEL BOUNDS##size matrix##size##_f32(float *c, i64 cm, i64 cp, const float *a, i64 am, i64 ak, const float *b, i64 bk, i64 bp, \
			const float *bias, int rows, int columns, int inner) { \
		strided q = {a, b, bias, c, am, ak, bk, bp, cm, cp, 0}; \
		TILE##size(q, rows, columns, 0, inner); \
	}
MATRIX(16)
MATRIX(64)
MATRIX(128)

// The same for many products: number z multiplies matrix at[z] of a with matrix at[count + z] of b into matrix at[2 count + z] of c.
#define MATRICES(size) \
	KERNEL BOUNDS##size matrices##size##_f32(float *c, const float *a, i64 am, i64 ak, const float *b, i64 bk, i64 bp, const i64 *at, int count, \
			int rows, int columns, int inner) { \
		int z = blockIdx.z; \
		strided q = {a + at[z] * rows * inner, b + at[count + z] * inner * columns, 0, c + at[2 * count + z] * rows * columns, am, ak, bk, bp, columns, 1, 0}; \
		TILE##size(q, rows, columns, 0, inner); \
	}
MATRICES(16)
MATRICES(64)
MATRICES(128)
