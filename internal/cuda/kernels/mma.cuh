// Matrix products in tiles on tensor cores, with the policies of tile.cuh: operands are rounded to TF32, whose significand has eleven
// bits, to nearest and ties away from zero; products are exact, and are summed in float32 by the hardware, in the order of k in steps
// of eight. The bits of an element do not depend on where in the grid it is.
//
// A block is 256 threads: eight warps, WY by WX, share its tile of BM rows and BN columns. A warp multiplies fragments of 16 rows, 8 of
// k and 8 columns; g and c say which elements of a fragment a thread holds (PTX ISA, m16n8k8 of .tf32). Rows of shared memory are 8
// words longer than a tile, so that the 32 threads of a warp read a fragment from 32 banks.
#ifndef EMULATED
__device__ __forceinline__ unsigned tf32(float v) {
	unsigned r;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(v));
	return r;
}

// sum += a b
__device__ __forceinline__ void mma(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
		: "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

template <int BM, int BN, int WY, int WX, class P>
__device__ __forceinline__ void tensor_tile(P &q, int rows, int columns, int from, int to) {
	const int BK = 16, THREADS = 256, LA = BM * BK / THREADS, LB = BN * BK / THREADS;
	const int MF = BM / WY / 16, NF = BN / WX / 8, SA = BM + 8, SB = BN + 8;
	const int OPERANDS = BK * (SA + SB), SUMS = 4 * NF * THREADS;
	__shared__ unsigned shared[OPERANDS > SUMS ? OPERANDS : SUMS];
	unsigned *left = shared, *right = shared + BK * SA;
	int t = threadIdx.x, warp = t / 32, g = t % 32 / 4, c = t % 4;
	int wm = warp / WX * (BM / WY), wn = warp % WX * (BN / WX);
	int m0 = blockIdx.y * BM, p0 = blockIdx.x * BN;
	int bp = p0 + t % BN, bk = t / BN; // columns are fetched BN threads side by side
	bool inside = bp < columns;
	q.column(bp);
	float sum[MF][NF][4], a[LA], b[LB];
#pragma unroll
	for (int i = 0; i < MF; i++)
#pragma unroll
		for (int j = 0; j < NF; j++) sum[i][j][0] = sum[i][j][1] = sum[i][j][2] = sum[i][j][3] = 0;
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
#pragma unroll
			for (int k = 0; k < BK; k += 8) {
				unsigned u[MF][4], v[NF][2];
#pragma unroll
				for (int i = 0; i < MF; i++) {
					const unsigned *at = left + (k + c) * SA + wm + 16 * i + g;
					u[i][0] = at[0], u[i][1] = at[8], u[i][2] = at[4 * SA], u[i][3] = at[4 * SA + 8];
				}
#pragma unroll
				for (int j = 0; j < NF; j++) {
					const unsigned *at = right + (k + c) * SB + wn + 8 * j + g;
					v[j][0] = at[0], v[j][1] = at[4 * SB];
				}
#pragma unroll
				for (int i = 0; i < MF; i++)
#pragma unroll
					for (int j = 0; j < NF; j++) mma(sum[i][j], u[i], v[j]);
			}
		}
		__syncthreads();
		if (k0 < to) {
#pragma unroll
			for (int i = 0; i < LA; i++) {
				int at = t + i * THREADS;
				left[at % BK * SA + at / BK] = tf32(a[i]);
			}
#pragma unroll
			for (int i = 0; i < LB; i++) right[(bk + i * (THREADS / BN)) * SB + t % BN] = tf32(b[i]);
			__syncthreads();
		}
	}
	// Sums are in registers, which have no index: they pass through shared memory, so that put is compiled MF times and not for each.
	float *mine = (float *)shared + t;
#pragma unroll
	for (int i = 0; i < MF; i++) {
#pragma unroll
		for (int j = 0; j < NF; j++)
#pragma unroll
			for (int e = 0; e < 4; e++) mine[(4 * j + e) * THREADS] = sum[i][j][e];
#pragma unroll 1
		for (int n = 0; n < 4 * NF; n++) {
			int m = m0 + wm + 16 * i + g + n % 4 / 2 * 8, p = p0 + wn + n / 4 * 8 + 2 * c + n % 2;
			if (m < rows && p < columns) q.put(m, p, mine[n * THREADS]);
		}
	}
}

// The shapes of tiles, those of tile.cuh.
#define TENSOR16 tensor_tile<16, 256, 1, 8>
#define TENSOR32 tensor_tile<32, 128, 2, 4>
#define TENSOR64 tensor_tile<64, 64, 2, 4>
#define TENSOR128 tensor_tile<128, 128, 2, 4>
