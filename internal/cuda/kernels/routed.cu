// LINe's head: a weight counts for a sample of class c only where contribution[c, i] weight[j, i] > threshold[c].

// y[s, j] = bias[j] + sum over such i of z[s, i] weight[j, i]; one block for each s = y and j = x.
KERNEL routed_f32(float *y, i64 ys, const float *z, i64 zs, const float *weight, const float *bias, const float *contribution, const float *threshold,
		const i64 *cls, int classes, i64 *status, int op, int in) {
	__shared__ float part[128];
	int j = blockIdx.x, s = blockIdx.y;
	if (!class_ok(status, op, s, cls[s], classes)) return; // the whole block does
	const float *w = weight + (i64)j * in, *c = contribution + cls[s] * in;
	float limit = threshold[cls[s]], sum = 0;
	for (int i = threadIdx.x; i < in; i += blockDim.x)
		if (c[i] * w[i] > limit) sum = fmaf(z[s * zs + i], w[i], sum);
	sum = block_sum(sum, part);
	if (threadIdx.x == 0) y[s * ys + j] = bias[j] + sum;
}

// dz[s, i] = sum over j whose weight counts of dy[s, j] weight[j, i]; y numbers the samples.
KERNEL routed_grad_f32(float *dz, i64 ds, const float *dy, i64 gs, const float *weight, const float *contribution, const float *threshold,
		const i64 *cls, int classes, i64 *status, int op, int in, int out) {
	int i = thread_id(), s = blockIdx.y;
	if (i >= in || !class_ok(status, op, s, cls[s], classes)) return;
	float c = contribution[cls[s] * in + i], limit = threshold[cls[s]], sum = 0;
	for (int j = 0; j < out; j++) {
		float w = weight[(i64)j * in + i];
		if (c * w > limit) sum = fmaf(dy[s * gs + j], w, sum);
	}
	dz[s * ds + i] = sum;
}
