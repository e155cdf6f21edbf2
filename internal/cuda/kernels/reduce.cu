// Sums over samples and pixels, one block for each channel.

// y[c] = sum of x over samples and pixels; with b of x b.
KERNEL sum_planes_f32(float *y, const float *x, i64 xs, const float *b, i64 bs, int n, int plane) {
	__shared__ double part[256];
	int c = blockIdx.x;
	double sum = 0;
	for (i64 e = threadIdx.x; e < (i64)n * plane; e += blockDim.x) {
		i64 s = e / plane, i = e % plane + (i64)c * plane;
		double v = x[s * xs + i];
		sum += b ? v * b[s * bs + i] : v;
	}
	sum = block_sum(sum, part);
	if (threadIdx.x == 0) y[c] = (float)sum;
}

// y[j] = sum over rows of x [rows, k].
KERNEL sum_rows_f32(float *y, const float *x, int rows, int k) {
	int j = thread_id();
	if (j >= k) return;
	double sum = 0;
	for (int r = 0; r < rows; r++) sum += x[(i64)r * k + j];
	y[j] = (float)sum;
}

// y[o, i] = over j of x[o, j, i], x [outer, k, inner], the sum over a divisor (op 0 and 1), the maximum (2) or the minimum (3), NaN where
// any is; one block of 128 threads for each result.
KERNEL reduce_f32(float *y, const float *x, int k, int inner, int op, float divisor) {
	__shared__ double part[128];
	unsigned t = threadIdx.x;
	const float *row = x + (i64)(blockIdx.x / inner) * k * inner + blockIdx.x % inner;
	if (op < 2) {
		double sum = 0;
		for (int j = t; j < k; j += blockDim.x) sum += row[(i64)j * inner];
		sum = block_sum(sum, part);
		if (t == 0) y[blockIdx.x] = (float)sum / divisor;
		return;
	}
	double sign = op == 2 ? 1 : -1, best = -INFINITY;
	for (int j = t; j < k; j += blockDim.x) {
		double v = sign * row[(i64)j * inner];
		best = v != v || best != best ? NAN : v > best ? v : best;
	}
	part[t] = best;
	for (unsigned w = blockDim.x / 2; w > 0; w /= 2) {
		__syncthreads();
		if (t < w) part[t] = part[t] != part[t] || part[t + w] != part[t + w] ? NAN : part[t] > part[t + w] ? part[t] : part[t + w];
	}
	if (t == 0) y[blockIdx.x] = (float)(sign * part[0]);
}

// Batch norm in training, one block for each channel: statistics in float64, then y = relu?(gamma (x - mean) invstd + beta + residual).
KERNEL batchnorm_f32(float *y, i64 ys, const float *x, i64 xs, const float *gamma, const float *beta, const float *residual, i64 rs,
		float *mean, float *variance, float *invstd, double eps, int relu, int n, int plane) {
	__shared__ double part[256];
	int c = blockIdx.x;
	i64 all = (i64)n * plane, at = (i64)c * plane;
	double sum = 0, square = 0;
	for (i64 e = threadIdx.x; e < all; e += blockDim.x) sum += x[e / plane * xs + at + e % plane];
	double mu = block_sum(sum, part) / all;
	for (i64 e = threadIdx.x; e < all; e += blockDim.x) {
		double d = x[e / plane * xs + at + e % plane] - mu;
		square += d * d;
	}
	double v = block_sum(square, part) / all, inv = 1 / sqrt(v + eps), scale = gamma[c] * inv;
	float k = (float)scale, b = (float)(beta[c] - mu * scale);
	if (threadIdx.x == 0) mean[c] = (float)mu, variance[c] = (float)v, invstd[c] = (float)inv;
	for (i64 e = threadIdx.x; e < all; e += blockDim.x) {
		i64 s = e / plane, i = at + e % plane;
		float r = fmaf(k, x[s * xs + i], b);
		if (residual) r += residual[s * rs + i];
		y[s * ys + i] = relu && r < 0 ? 0.0f : r;
	}
}

// Its gradients by x, gamma and beta. y is the value where a ReLU gates the gradient, NULL elsewhere.
KERNEL batchnorm_grad_f32(float *dx, i64 ds, float *dgamma, float *dbeta, const float *dy, i64 gs, const float *x, i64 xs, const float *gamma,
		const float *y, i64 ys, const float *mean, const float *invstd, int n, int plane) {
	__shared__ double part[256];
	int c = blockIdx.x;
	i64 all = (i64)n * plane, at = (i64)c * plane;
	double mu = mean[c], inv = invstd[c], sum = 0, dot = 0;
	for (i64 e = threadIdx.x; e < all; e += blockDim.x) {
		i64 s = e / plane, i = at + e % plane;
		if (y && !(y[s * ys + i] > 0)) continue;
		double g = dy[s * gs + i];
		sum += g;
		dot += g * (x[s * xs + i] - mu);
	}
	sum = block_sum(sum, part);
	dot = block_sum(dot, part) * inv;
	if (threadIdx.x == 0) dgamma[c] = (float)dot, dbeta[c] = (float)sum;
	double k = gamma[c] * inv;
	float a = (float)k, b = (float)(-k * inv * dot / all), shift = (float)(-k * sum / all), m = mean[c];
	for (i64 e = threadIdx.x; e < all; e += blockDim.x) {
		i64 s = e / plane, i = at + e % plane;
		float g = y && !(y[s * ys + i] > 0) ? 0.0f : dy[s * gs + i];
		dx[s * ds + i] = a * g + (b * (x[s * xs + i] - m) + shift);
	}
}
