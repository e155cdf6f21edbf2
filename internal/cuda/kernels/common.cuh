// What all kernels share. NVRTC compiles each source behind this file; so does g++ for the emulated driver.
//
// A value is a stack of samples: element i of sample s lies at p[s * stride + i], stride a 64-bit number because a stack may be larger
// than 2^31 elements, while what one kernel numbers in 32 bits (elements of a launch, sizes) the caller bounds.
typedef long long i64;
#define KERNEL extern "C" __global__ void

__device__ __forceinline__ unsigned thread_id() { return blockIdx.x * blockDim.x + threadIdx.x; }

// The sums of a and b over the block, in all threads. The order depends on the number of threads alone. part has a place for each.
template <class T> __device__ T block_sum(T v, T *part) {
	unsigned t = threadIdx.x;
	__syncthreads();
	part[t] = v;
	for (unsigned w = blockDim.x / 2; w > 0; w /= 2) {
		__syncthreads();
		if (t < w) part[t] += part[t + w];
	}
	__syncthreads();
	return part[0];
}

// Reports that sample s has a class that does not exist: the first report of a run stays. status holds operation + 1, sample, class,
// number of classes.
__device__ __forceinline__ bool class_ok(i64 *status, int op, int s, i64 c, int classes) {
	if (c >= 0 && c < classes) return true;
	if (atomicCAS((unsigned long long *)status, 0ull, (unsigned long long)(op + 1)) == 0) {
		status[1] = s;
		status[2] = c;
		status[3] = classes;
	}
	return false;
}
