// c[m, p] = sum over k of a[m, k] b[k, p] + bias[m] for matrices of any strides; layers of vectors and their gradients.
struct strided {
	const float *a, *b, *bias;
	float *c;
	i64 am, ak, bk, bp, cm, cp;
	const float *at;
	__device__ __forceinline__ void column(int p) { at = b + p * bp; }
	__device__ __forceinline__ float left(int m, int k) { return a[m * am + k * ak]; }
	__device__ __forceinline__ float right(int k) { return at[k * bk]; }
	__device__ __forceinline__ void put(int m, int p, float sum) { c[m * cm + p * cp] = bias ? sum + bias[m] : sum; }
};
