// The functions that Gorgonia's bindings to CUDA (gorgonia.org/cu) call and driver.cpp lacks, so that Gorgonia's own machine runs on the
// emulated card: created contexts, the default stream, synchronous copies, and a few functions of cuBLAS and cuDNN.
#include "state.h"

static std::map<uintptr_t, int> created;
API CUresult cuCtxCreate_v2(uintptr_t *c, unsigned, int d) {
	BEGIN("cuCtxCreate")
	if (d < 0 || d >= devices) return INVALID_DEVICE;
	contexts++;
	created[*c = current = (uintptr_t)malloc(1)] = d;
	return SUCCESS;
}
API CUresult cuCtxDestroy_v2(uintptr_t c) {
	LOCKED
	if (!created.erase(c)) return INVALID_CONTEXT;
	contexts--;
	free((void *)c);
	if (current == c) current = 0;
	return SUCCESS;
}
API CUresult cuCtxGetCurrent(uintptr_t *c) { *c = current; return SUCCESS; }
API CUresult cuCtxSynchronize() { BEGIN_IN_CONTEXT("cuCtxSynchronize") return SUCCESS; }

API CUresult cuMemAlloc_v2(CUdeviceptr *p, size_t n); // in driver.cpp
API CUresult cuMemAllocManaged(CUdeviceptr *p, size_t n, unsigned) { return cuMemAlloc_v2(p, n); }
API CUresult cuMemcpy(CUdeviceptr d, CUdeviceptr s, size_t n) {
	BEGIN_IN_CONTEXT("cuMemcpy")
	memmove((void *)d, (void *)s, n);
	return SUCCESS;
}
API CUresult cuMemcpyHtoD_v2(CUdeviceptr d, const void *s, size_t n) {
	BEGIN_IN_CONTEXT("cuMemcpyHtoD")
	if (!on_device(d, n) || on_device((CUdeviceptr)s, 1)) return INVALID_VALUE;
	memcpy((void *)d, s, n);
	return SUCCESS;
}
API CUresult cuMemcpyDtoH_v2(void *d, CUdeviceptr s, size_t n) {
	BEGIN_IN_CONTEXT("cuMemcpyDtoH")
	if (!on_device(s, n) || on_device((CUdeviceptr)d, 1)) return INVALID_VALUE;
	memcpy(d, (void *)s, n);
	return SUCCESS;
}
API CUresult cuModuleLoadData(module **m, const void *image) {
	BEGIN_IN_CONTEXT("cuModuleLoadData")
	std::string why;
	if (CUresult r = load_module((const char *)image, m, why)) {
		fprintf(stderr, "emulated card: %s\n", why.c_str());
		return r;
	}
	modules++;
	return SUCCESS;
}

// Computes c = alpha op(a) op(b) + beta c. Matrices are stored column by column.
API int cublasCreate_v2(void **h) { *h = malloc(1); return 0; }
API int cublasDestroy_v2(void *h) { free(h); return 0; }
API int cublasSgemm_v2(void *, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda, const float *b, int ldb, const float *beta, float *c, int ldc) {
	LOCKED
	for (int j = 0; j < n; j++)
		for (int i = 0; i < m; i++) {
			double sum = 0;
			for (int l = 0; l < k; l++) sum += (double)(ta ? a[l + (size_t)i * lda] : a[i + (size_t)l * lda]) * (tb ? b[j + (size_t)l * ldb] : b[l + (size_t)j * ldb]);
			float *to = &c[i + (size_t)j * ldc];
			*to = (float)(*alpha * sum + (*beta ? *beta * *to : 0));
		}
	return 0;
}
API int cudnnCreate(void **h) { *h = malloc(1); return 0; }
API int cudnnDestroy(void *h) { free(h); return 0; }
