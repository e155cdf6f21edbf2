// Matrix products in tiles: C[m, p] = sum over k of left(m, k) right(k, p), where a policy says what left and right are and what
// happens to C. A block of 256 threads, TY by TX, computes a tile of TY TM rows and TX TN columns; what it reads of left and right for
// 16 values of k lies in shared memory, and the next 16 are fetched into registers while these are multiplied. Every element is summed
// by one thread in the order of k with fused multiply-adds, so its bits do not depend on where in the grid it is.
//
// A policy has:
//	void column(int p)          the columns that this thread fetches; p may be beyond the last
//	float left(int m, int k)    called for m and k within bounds
//	float right(int k)          of the column, which is within bounds
//	void put(int m, int p, float sum)
template <int TM, int TY, int TN, int TX, class P>
__device__ __forceinline__ void tile(P &q, int rows, int columns, int from, int to) {
	const int BK = 16, BM = TM * TY, BN = TN * TX, THREADS = TX * TY;
	const int LA = BM * BK / THREADS, LB = BN * BK / THREADS;
	__shared__ float left[BK][BM + 4];
	__shared__ float right[BK][BN];
	int t = threadIdx.x, tx = t % TX, ty = t / TX;
	int m0 = blockIdx.y * BM, p0 = blockIdx.x * BN;
	int bp = p0 + t % BN, bk = t / BN; // columns are fetched BN threads side by side
	bool inside = bp < columns;
	q.column(bp);
	float sum[TM][TN], a[LA], b[LB];
#pragma unroll
	for (int i = 0; i < TM; i++)
#pragma unroll
		for (int j = 0; j < TN; j++) sum[i][j] = 0;
	for (int k0 = from; k0 < to + BK; k0 += BK) { // one round more than there are: what is fetched in one is multiplied in the next
		if (k0 < to) {
#pragma unroll
			for (int i = 0; i < LA; i++) {
				int at = t + i * THREADS, k = k0 + at % BK, m = m0 + at / BK;
				a[i] = k < to && m < rows ? q.left(m, k) : 0.0f;
			}
#pragma unroll
			for (int i = 0; i < LB; i++) {
				int k = k0 + bk + i * (THREADS / BN);
				b[i] = inside && k < to ? q.right(k) : 0.0f;
			}
		}
		if (k0 > from) {
#pragma unroll 4
			for (int k = 0; k < BK; k++) {
				float u[TM], v[TN];
#pragma unroll
				for (int i = 0; i < TM; i++) u[i] = left[k][ty * TM + i];
#pragma unroll
				for (int j = 0; j < TN; j++) v[j] = right[k][tx + j * TX];
#pragma unroll
				for (int i = 0; i < TM; i++)
#pragma unroll
					for (int j = 0; j < TN; j++) sum[i][j] = fmaf(u[i], v[j], sum[i][j]);
			}
		}
		__syncthreads();
		if (k0 < to) {
#pragma unroll
			for (int i = 0; i < LA; i++) {
				int at = t + i * THREADS;
				left[at % BK][at / BK] = a[i];
			}
#pragma unroll
			for (int i = 0; i < LB; i++) right[bk + i * (THREADS / BN)][t % BN] = b[i];
			__syncthreads();
		}
	}
	// Sums are in registers, which have no index: they pass through shared memory a row at a time, so that put is compiled TM times
	// and not for each of them.
	float *mine = &right[0][0] + t;
#pragma unroll
	for (int i = 0; i < TM; i++) {
		int m = m0 + ty * TM + i;
#pragma unroll
		for (int j = 0; j < TN; j++) mine[j * THREADS] = sum[i][j];
#pragma unroll 1
		for (int j = 0; j < TN; j++) {
			int p = p0 + tx + j * TX;
			if (m < rows && p < columns) q.put(m, p, mine[j * THREADS]);
		}
	}
}

// The shapes of tiles that kernels come in: 16 × 256, 32 × 128, 64 × 64 and 128 × 128.
#define TILE16 tile<4, 4, 4, 64>
#define TILE32 tile<4, 8, 4, 32>
#define TILE64 tile<4, 16, 4, 16>
#define TILE128 tile<8, 16, 8, 16>

// How many blocks a processor is to hold at least: two, which leaves a thread 128 registers; the largest tile takes more.
#define BOUNDS16 __launch_bounds__(256, 2)
#define BOUNDS32 __launch_bounds__(256, 2)
#define BOUNDS64 __launch_bounds__(256, 2)
#define BOUNDS128 __launch_bounds__(256)
