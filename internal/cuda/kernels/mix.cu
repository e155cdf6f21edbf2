// Coalitions of neurons, and what else chooses elements: dropout, elements by index.

// The row of removed values that sample s has: without rows by number the one that all samples share or its own. A row that does
// not exist is reported like a class, as its bits and minus the number of rows.
__device__ __forceinline__ bool row_of(i64 *status, int op, int s, const float *row, int rows, i64 &at) {
	at = rows == 1 ? 0 : s;
	if (!row) return true;
	float v = row[s];
	if (v >= 0 && v < (float)rows && v == (float)(int)v) {
		at = (int)v;
		return true;
	}
	if (atomicCAS((unsigned long long *)status, 0ull, (unsigned long long)(op + 1)) == 0) {
		status[1] = s;
		status[2] = *(const int *)(row + s);
		status[3] = -(i64)rows;
	}
	return false;
}

#define SAMPLE \
	unsigned e = thread_id(); \
	if (e >= total) return; \
	unsigned s = e / size, i = e % size; \
	i64 from; \
	if (!row_of(status, op, s, row, rows, from)) return; \
	const float *present = p + (shared ? 0 : s) * ps, *removed = r + from * rs;

// What all of them take: present and removed values, the former shared by all samples or not, and the rows.
#define MIXED const float *p, i64 ps, const float *r, i64 rs, const float *row, int rows, int shared, i64 *status, int op

// A point between removed and present for each element, by the mask of its group; elements of group -1 are present.
KERNEL mix_f32(float *y, i64 ys, const float *mask, i64 ms, const i64 *group, MIXED, unsigned size, unsigned total) {
	SAMPLE
	float m = group[i] < 0 ? 1.0f : mask[s * ms + group[i]], a = present[i], b = removed[i];
	y[s * ys + i] = m == 1 ? a : m == 0 ? b : b + m * (a - b);
}

// The same where bit i of a sample's words says whether element i is present.
KERNEL mix_bits_f32(float *y, i64 ys, const unsigned long long *bits, int words, MIXED, unsigned size, unsigned total) {
	SAMPLE
	y[s * ys + i] = bits[(i64)s * words + i / 64] >> (i % 64) & 1 ? present[i] : removed[i];
}

// The gradient by the mask: table holds for each group where its elements begin, then the elements of all groups.
KERNEL mix_mask_grad_f32(float *d, i64 ds, const float *dy, i64 gs, const i64 *table, int groups, MIXED, unsigned size, unsigned total) {
	SAMPLE
	float sum = 0;
	for (i64 j = table[i]; j < table[i + 1]; j++) {
		i64 k = table[groups + 1 + j];
		sum += dy[s * gs + k] * (present[k] - removed[k]);
	}
	d[s * ds + i] = sum;
}

// The gradient by present values, or with the share left over by removed ones.
KERNEL mix_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const float *mask, i64 ms, const i64 *group, int rest, unsigned size, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	unsigned s = e / size, i = e % size;
	float m = group[i] < 0 ? 1.0f : mask[s * ms + group[i]];
	dx[s * ds + i] = dy[s * gs + i] * (rest ? 1 - m : m);
}

// A number of 128 bits, modulo 2^128.
struct wide { unsigned long long hi, lo; };
__device__ __forceinline__ wide times(wide a, wide b) { return {__umul64hi(a.lo, b.lo) + a.hi * b.lo + a.lo * b.hi, a.lo * b.lo}; }
__device__ __forceinline__ wide plus(wide a, wide b) {
	wide c = {a.hi + b.hi, a.lo + b.lo};
	c.hi += c.lo < a.lo;
	return c;
}

// Draw number n, from 0 on, of the generator PCG-DXSM (O'Neill 2014, in the form of Go's math/rand/v2) seeded with hi and lo. The state
// steps from x to a x + c; n + 1 steps are one step of another a and c, which squaring finds.
__device__ unsigned long long draw(unsigned long long hi, unsigned long long lo, unsigned n) {
	wide a = {2549297995355413924ull, 4865540595714422341ull}, c = {6364136223846793005ull, 1442695040888963407ull};
	wide all = {0, 1}, more = {0, 0}, one = {0, 1};
	for (i64 k = (i64)n + 1; k > 0; k /= 2) {
		if (k % 2) all = times(all, a), more = plus(times(more, a), c);
		c = times(plus(a, one), c);
		a = times(a, a);
	}
	wide x = plus(times(all, {hi, lo}), more);
	const unsigned long long cheap = 0xda942042e4dd58b5ull;
	x.hi ^= x.hi >> 32;
	x.hi *= cheap;
	x.hi ^= x.hi >> 48;
	return x.hi * (x.lo | 1);
}

// Dropout: a thread for each draw, which serves two elements of a sample. Those whose half is below the limit are zero.
KERNEL dropout_f32(float *y, i64 ys, const float *x, i64 xs, const i64 *seed, i64 salt, i64 limit, float kept, unsigned size, unsigned draws, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	unsigned s = e / draws, j = e % draws;
	unsigned long long bits = draw((unsigned long long)seed[s], (unsigned long long)salt, j);
	i64 halves[2] = {(i64)(bits >> 32), (i64)(bits & 0xffffffffull)};
	for (unsigned k = 0; k < 2 && 2 * j + k < size; k++)
		y[s * ys + 2 * j + k] = halves[k] >= limit ? x[s * xs + 2 * j + k] * kept : 0.0f;
}

// y[o, i, :] = x[o, index[i], :] of inner elements; x has n along the axis, y many.
KERNEL take_f32(float *y, const float *x, const i64 *index, int n, int many, int inner, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	unsigned j = e % inner, i = e / inner % many, o = e / inner / many;
	y[e] = x[((i64)o * n + index[i]) * inner + j];
}

// Its gradient: table holds for each element of the axis where its places among the many begin, then the places of all.
KERNEL take_grad_f32(float *dx, const float *dy, const i64 *table, int n, int many, int inner, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	unsigned j = e % inner, k = e / inner % n, o = e / inner / n;
	float sum = 0;
	for (i64 i = table[k]; i < table[k + 1]; i++) sum += dy[((i64)o * many + table[n + 1 + i]) * inner + j];
	dx[e] = sum;
}
