// Functions of rows, one block of 128 threads for each: sums and exponentials in float64.
#define ROW \
	__shared__ double part[128]; \
	unsigned s = blockIdx.x, t = threadIdx.x; \
	(void)s, (void)t, (void)part;

// The largest of a row, zero unless it is finite, in m, and the sum of exp(x - m).
__device__ inline double exp_sum(const float *x, int k, double *part, double &m) {
	unsigned t = threadIdx.x;
	float top = -INFINITY;
	for (int j = t; j < k; j += blockDim.x) top = x[j] != x[j] || top != top ? NAN : x[j] > top ? x[j] : top;
	__syncthreads();
	part[t] = top;
	for (unsigned w = blockDim.x / 2; w > 0; w /= 2) {
		__syncthreads();
		if (t < w) part[t] = part[t] != part[t] || part[t + w] != part[t + w] ? NAN : part[t] > part[t + w] ? part[t] : part[t + w];
	}
	__syncthreads();
	m = part[0];
	if (m == INFINITY || m == -INFINITY) m = 0;
	double sum = 0;
	for (int j = t; j < k; j += blockDim.x) sum += exp(x[j] - m);
	return block_sum(sum, part);
}

KERNEL softmax_f32(float *y, i64 ys, const float *x, i64 xs, int k) {
	ROW
	double m, sum = exp_sum(x + s * xs, k, part, m);
	for (int j = t; j < k; j += blockDim.x) y[s * ys + j] = (float)(exp(x[s * xs + j] - m) / sum);
}

KERNEL log_softmax_f32(float *y, i64 ys, const float *x, i64 xs, int k) {
	ROW
	double m, l = log(exp_sum(x + s * xs, k, part, m));
	for (int j = t; j < k; j += blockDim.x) y[s * ys + j] = (float)(x[s * xs + j] - m - l);
}

KERNEL log_sum_exp_f32(float *y, const float *x, i64 xs, int k) {
	ROW
	double m, sum = exp_sum(x + s * xs, k, part, m);
	if (t == 0) y[s] = (float)(m + log(sum));
}

// dx = p (dy sum(p) - sum(dy p)), p the value, whose sum is one but for rounding. In float64 and with that sum, what is left where the terms
// cancel is right: nothing for a single class, and little where one class has nearly all.
KERNEL softmax_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const float *p, i64 ps, int k) {
	ROW
	double dot = 0, all = 0;
	for (int j = t; j < k; j += blockDim.x) dot += (double)dy[s * gs + j] * p[s * ps + j], all += p[s * ps + j];
	dot = block_sum(dot, part);
	all = block_sum(all, part);
	for (int j = t; j < k; j += blockDim.x) dx[s * ds + j] = (float)(p[s * ps + j] * (dy[s * gs + j] * all - dot));
}

KERNEL log_softmax_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const float *y, i64 ys, int k) {
	ROW
	double sum = 0;
	for (int j = t; j < k; j += blockDim.x) sum += dy[s * gs + j];
	sum = block_sum(sum, part);
	for (int j = t; j < k; j += blockDim.x) dx[s * ds + j] = (float)(dy[s * gs + j] - exp((double)y[s * ys + j]) * sum);
}

KERNEL log_sum_exp_grad_f32(float *dx, i64 ds, const float *dy, const float *x, i64 xs, int k) {
	ROW
	double m, sum = exp_sum(x + s * xs, k, part, m);
	for (int j = t; j < k; j += blockDim.x) dx[s * ds + j] = (float)(exp(x[s * xs + j] - m) / sum) * dy[s];
}

// -sum of target (x - LSE(x)) over targets that are not zero.
KERNEL cross_entropy_f32(float *y, const float *x, i64 xs, const float *target, i64 ts, int k) {
	ROW
	double m, lse = log(exp_sum(x + s * xs, k, part, m)) + m, loss = 0;
	for (int j = t; j < k; j += blockDim.x) {
		double q = target[s * ts + j];
		if (q != 0) loss += q * (lse - x[s * xs + j]);
	}
	loss = block_sum(loss, part);
	if (t == 0) y[s] = (float)loss;
}

KERNEL cross_entropy_grad_f32(float *dx, i64 ds, const float *dy, const float *x, i64 xs, const float *target, i64 ts, int k) {
	ROW
	double m, lse = log(exp_sum(x + s * xs, k, part, m)) + m, all = 0;
	for (int j = t; j < k; j += blockDim.x) all += target[s * ts + j];
	all = block_sum(all, part);
	for (int j = t; j < k; j += blockDim.x) dx[s * ds + j] = (float)(dy[s] * (all * exp(x[s * xs + j] - lse) - target[s * ts + j]));
}

// Which of two elements of a row comes first: a NaN before every number, then the larger, then the one with the lower index.
__device__ inline bool before(float v, int i, float w, int j) {
	if (i < 0 || j < 0) return j < 0;
	bool nv = v != v, nw = w != w;
	if (nv != nw) return nv;
	if (!nv && v != w) return v > w;
	return i < j;
}

// The index of the first in that order, leaving out element skip[s] where skip is not NULL.
KERNEL arg_max_f32(i64 *y, const float *x, i64 xs, const i64 *skip, int k) {
	__shared__ float value[128];
	__shared__ int index[128];
	unsigned s = blockIdx.x, t = threadIdx.x;
	float v = 0;
	int i = -1;
	for (int j = t; j < k; j += blockDim.x)
		if (!(skip && skip[s] == j) && before(x[s * xs + j], j, v, i)) v = x[s * xs + j], i = j;
	value[t] = v, index[t] = i;
	for (unsigned w = blockDim.x / 2; w > 0; w /= 2) {
		__syncthreads();
		if (t < w && index[t + w] >= 0 && before(value[t + w], index[t + w], value[t], index[t])) value[t] = value[t + w], index[t] = index[t + w];
	}
	if (t == 0) y[s] = index[0];
}

// The mean of x, of size elements, and 1/sqrt(variance + eps), or about zero where centre is not set.
__device__ inline void moments(const float *x, int size, double eps, int centre, double *part, double &mean, double &inv) {
	double sum = 0, square = 0;
	if (centre)
		for (int j = threadIdx.x; j < size; j += blockDim.x) sum += x[j];
	mean = block_sum(sum, part) / size;
	for (int j = threadIdx.x; j < size; j += blockDim.x) square += (x[j] - mean) * (x[j] - mean);
	inv = 1 / sqrt(block_sum(square, part) / size + eps);
}

// Normalisation of rows of groups x channels x hw elements, each group by itself: (x - mean) invstd scale + bias, scale and bias one for
// each channel of each group or NULL. A block for each group.
KERNEL norm_f32(float *y, const float *x, const float *scale, const float *bias, int groups, int channels, int hw, double eps, int centre) {
	__shared__ double part[128];
	int size = channels * hw, first = blockIdx.x % groups * channels;
	i64 at = (i64)blockIdx.x * size;
	double mean, inv;
	moments(x + at, size, eps, centre, part, mean, inv);
	for (int j = threadIdx.x; j < size; j += blockDim.x) {
		int c = first + j / hw;
		y[at + j] = (float)((x[at + j] - mean) * inv * (scale ? scale[c] : 1.0f) + (bias ? bias[c] : 0.0f));
	}
}

// Its gradient by x.
KERNEL norm_grad_f32(float *dx, const float *dy, const float *x, const float *scale, int groups, int channels, int hw, double eps, int centre) {
	__shared__ double part[128];
	int size = channels * hw, first = blockIdx.x % groups * channels;
	i64 at = (i64)blockIdx.x * size;
	double mean, inv, sum = 0, dot = 0;
	moments(x + at, size, eps, centre, part, mean, inv);
	for (int j = threadIdx.x; j < size; j += blockDim.x) {
		double g = (double)dy[at + j] * (scale ? scale[first + j / hw] : 1.0f);
		sum += g;
		dot += g * (x[at + j] - mean) * inv;
	}
	sum = centre ? block_sum(sum, part) / size : 0;
	dot = block_sum(dot, part) / size;
	for (int j = threadIdx.x; j < size; j += blockDim.x) {
		double g = (double)dy[at + j] * (scale ? scale[first + j / hw] : 1.0f);
		dx[at + j] = (float)(inv * (g - sum - (x[at + j] - mean) * inv * dot));
	}
}

// The mean and 1/deviation of each group, for the gradient by the scale.
KERNEL norm_moments_f32(double *out, const float *x, int size, double eps, int centre) {
	__shared__ double part[128];
	double mean, inv;
	moments(x + (i64)blockIdx.x * size, size, eps, centre, part, mean, inv);
	if (threadIdx.x == 0) out[2 * (i64)blockIdx.x] = mean, out[2 * (i64)blockIdx.x + 1] = inv;
}

// d[c] = sum over rows and the elements of channel c of dy (x - mean) invstd, the gradient by the scale, or of dy where x is NULL, by the
// bias. A block for each channel of each group.
KERNEL norm_sums_f32(float *d, const float *dy, const float *x, const double *moments, int rows, int groups, int channels, int hw) {
	__shared__ double part[128];
	int c = blockIdx.x, k = c / channels;
	i64 row = (i64)groups * channels * hw;
	double sum = 0;
	for (i64 e = threadIdx.x; e < (i64)rows * hw; e += blockDim.x) {
		i64 r = e / hw, at = r * row + (i64)c * hw + e % hw;
		double v = dy[at];
		if (x) v *= (x[at] - moments[2 * (r * groups + k)]) * moments[2 * (r * groups + k) + 1];
		sum += v;
	}
	sum = block_sum(sum, part);
	if (threadIdx.x == 0) d[c] = (float)sum;
}
