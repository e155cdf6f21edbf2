// This is libcuda.so.1 in host memory: the functions of the driver that package cuda calls, for tests on machines without a card. Device
// memory is filled with NaN when it is allocated. It lies between red zones, which no launch may change or, if this was compiled with
// AddressSanitizer, read. Copies check which memory is the device's and which the host's. A module has the kernels that its PTX names; the
// code that runs is the same source compiled by g++, see run.cpp. All work is done at once when it is queued.
//
// The functions emu_... are for tests: see package emu.
#include "state.h"

static const std::map<int, std::pair<const char *, const char *>> errors = {
	{1, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}}, {2, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
	{100, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}}, {101, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
	{201, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}}, {218, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
	{222, {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."}},
	{400, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}}, {500, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
	{700, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
	{719, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
};

API void emu_fail(const char *call, long after, int code) { LOCKED failures[call] = {after, code}; }
API void emu_reset() { LOCKED failures.clear(); lost = 0; total = (size_t)8 << 30; devices = 1, capability = 90, version = 12040; }
API void emu_set_memory(size_t bytes) { LOCKED total = bytes; }
API void emu_set_devices(long n) { LOCKED devices = n; }
API void emu_set_capability(long tenfold) { LOCKED capability = (int)tenfold; }
API void emu_set_version(long v) { LOCKED version = (int)v; }
// Writes the counts of package emu's Used: what is in use (bytes and blocks of device memory, bytes of pinned memory, streams, contexts,
// modules), and what has happened so far.
API void emu_count(int64_t *out) {
	LOCKED
	int64_t host = 0;
	for (auto &p : pinned) host += p.second;
	int64_t v[] = {(int64_t)used, (int64_t)blocks.size(), host, streams, contexts, modules, launches, uploads, uploaded, downloads, pageable};
	memcpy(out, v, sizeof v);
}

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
static void protect(const block &b, CUdeviceptr p) {
	__asan_poison_memory_region(b.base, zone);
	__asan_poison_memory_region((char *)p + b.bytes, zone);
}
static void release(const block &b, CUdeviceptr p) { __asan_unpoison_memory_region(b.base, 2 * zone + b.bytes); }
static int watched = (__asan_set_error_report_callback([](const char *) { beyond = true; }), 1);
bool zones_intact() { return !beyond.exchange(false); }
#else
static void protect(const block &b, CUdeviceptr p) {
	memset(b.base, 0xff, zone);
	memset((char *)p + b.bytes, 0xff, zone);
}
static void release(const block &, CUdeviceptr) {}
bool zones_intact() {
	for (auto &b : blocks) {
		const char *p = b.second.base, *q = (const char *)b.first + b.second.bytes;
		for (size_t i = 0; i < zone; i++)
			if (p[i] != (char)0xff || q[i] != (char)0xff) return false;
	}
	return true;
}
#endif

API CUresult cuInit(unsigned) { BEGIN("cuInit") return devices ? SUCCESS : NO_DEVICE; }
API CUresult cuDriverGetVersion(int *v) { LOCKED *v = version; return SUCCESS; }
API CUresult cuGetErrorName(int e, const char **s) { auto i = errors.find(e); *s = i == errors.end() ? nullptr : i->second.first; return i == errors.end(); }
API CUresult cuGetErrorString(int e, const char **s) { auto i = errors.find(e); *s = i == errors.end() ? nullptr : i->second.second; return i == errors.end(); }
API CUresult cuDeviceGetCount(int *n) { BEGIN("cuDeviceGetCount") *n = (int)devices; return SUCCESS; }
API CUresult cuDeviceGet(int *d, int i) { *d = i; return i < 0 || i >= devices ? INVALID_DEVICE : SUCCESS; }
API CUresult cuDeviceGetName(char *s, int n, int d) { snprintf(s, n, "emulated card %d", d); return SUCCESS; }
API CUresult cuDeviceTotalMem_v2(size_t *b, int) { LOCKED *b = total; return SUCCESS; }
API CUresult cuDeviceGetAttribute(int *v, int a, int) { 
	switch (a) {
	case 1: case 2: case 3: *v = 1024; break; // the most threads of a block
	case 4: *v = 64; break;
	case 5: *v = 2147483647; break; // the most blocks of a grid
	case 6: case 7: *v = 65535; break;
	case 10: *v = 32; break; // threads of a warp
	case 16: *v = 132; break; // multiprocessors
	case 75: *v = capability / 10; break;
	case 76: *v = capability % 10; break;
	default: *v = 0;
	}
	return SUCCESS;
 }
API CUresult cuDevicePrimaryCtxRetain(uintptr_t *c, int d) { BEGIN("cuDevicePrimaryCtxRetain") contexts++; *c = d + 1; return SUCCESS; }
API CUresult cuDevicePrimaryCtxRelease_v2(int) { LOCKED contexts--; return SUCCESS; }
API CUresult cuCtxSetCurrent(uintptr_t c) { current = c; return SUCCESS; }
API CUresult cuMemGetInfo_v2(size_t *f, size_t *t) { LOCKED *f = total - used, *t = total; return SUCCESS; }
API CUresult cuMemAlloc_v2(CUdeviceptr *p, size_t n) {
	BEGIN_IN_CONTEXT("cuMemAlloc")
	if (used + n > total) return OUT_OF_MEMORY;
	size_t whole = (n + 2 * zone + 255) / 256 * 256;
	char *base = (char *)aligned_alloc(256, whole);
	if (!base) return OUT_OF_MEMORY;
	*p = (CUdeviceptr)(base + zone);
	protect(blocks[*p] = {n, base}, *p), used += n;
	memset((void *)*p, rehearsed ? 0 : 0xff, n); // NaN, read as float32
	return SUCCESS;
}
API CUresult cuMemFree_v2(CUdeviceptr p) {
	LOCKED // no check for a lost context: the memory of this process is freed in any case
	auto b = blocks.find(p);
	if (b == blocks.end()) return INVALID_VALUE;
	used -= b->second.bytes;
	release(b->second, p);
	free(b->second.base);
	blocks.erase(b);
	return lost;
}
API CUresult cuMemAllocHost_v2(void **p, size_t n) {
	BEGIN_IN_CONTEXT("cuMemAllocHost")
	if (!(*p = malloc(n))) return OUT_OF_MEMORY;
	memset(*p, 0xff, n);
	pinned[*p] = n;
	return SUCCESS;
}
API CUresult cuMemFreeHost(void *p) {
	LOCKED
	if (!pinned.erase(p)) return INVALID_VALUE;
	free(p);
	return lost;
}
API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *s, size_t n, uintptr_t stream) {
	BEGIN_IN_CONTEXT("cuMemcpyHtoDAsync")
	if (!usable(stream)) return INVALID_HANDLE;
	if (!on_device(d, n) || on_device((CUdeviceptr)s, 1)) return INVALID_VALUE;
	uploads++, uploaded += n, pageable += !is_pinned(s, n);
	memcpy((void *)d, s, n);
	return SUCCESS;
}
API CUresult cuMemcpyDtoHAsync_v2(void *d, CUdeviceptr s, size_t n, uintptr_t stream) {
	BEGIN_IN_CONTEXT("cuMemcpyDtoHAsync")
	if (!usable(stream)) return INVALID_HANDLE;
	if (!on_device(s, n) || on_device((CUdeviceptr)d, 1)) return INVALID_VALUE;
	downloads++, pageable += !is_pinned(d, n);
	memcpy(d, (void *)s, n);
	return SUCCESS;
}
API CUresult cuMemsetD32Async(CUdeviceptr d, unsigned v, size_t n, uintptr_t stream) {
	BEGIN_IN_CONTEXT("cuMemsetD32Async")
	if (!usable(stream)) return INVALID_HANDLE;
	if (!on_device(d, 4 * n)) return INVALID_VALUE;
	for (size_t i = 0; i < n; i++) ((unsigned *)d)[i] = v;
	return SUCCESS;
}
API CUresult cuStreamCreate(uintptr_t *s, unsigned) { BEGIN_IN_CONTEXT("cuStreamCreate") streams++; *s = (uintptr_t)malloc(1); return SUCCESS; }
API CUresult cuStreamDestroy_v2(uintptr_t s) { LOCKED streams--; free((void *)s); return lost; }
API CUresult cuStreamSynchronize(uintptr_t s) { BEGIN_IN_CONTEXT("cuStreamSynchronize") return usable(s) ? SUCCESS : INVALID_HANDLE; }

API CUresult cuModuleLoadDataEx(module **m, const void *image, unsigned n, int *options, void **values) {
	BEGIN_IN_CONTEXT("cuModuleLoadDataEx")
	char *log = nullptr;
	size_t size = 0;
	for (unsigned i = 0; i < n; i++)
		if (options[i] == 5) log = (char *)values[i];
		else if (options[i] == 6) size = (size_t)values[i];
	std::string why;
	if (CUresult r = load_module((const char *)image, m, why)) {
		if (log) snprintf(log, size, "%s", why.c_str());
		return r;
	}
	modules++;
	return SUCCESS;
}
API CUresult cuModuleUnload(module *m) { LOCKED modules--; delete m; return lost; }
API CUresult cuModuleGetFunction(function **f, module *m, const char *name) {
	BEGIN_IN_CONTEXT("cuModuleGetFunction")
	auto k = m->functions.find(name);
	if (k == m->functions.end()) return NOT_FOUND;
	*f = &k->second;
	return SUCCESS;
}
API CUresult cuLaunchKernel(function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, uintptr_t stream, void **args, void **) {
	BEGIN_IN_CONTEXT("cuLaunchKernel")
	if (!f || !usable(stream)) return INVALID_HANDLE;
	if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !bx || bx > 1024 || by != 1 || bz != 1) return INVALID_VALUE;
	launches++;
	if (!run_grid(*f, {gx, gy, gz, bx}, args)) {
		fprintf(stderr, "emulated card: kernel %s: threads wait at a barrier that others of their block never reach\n", f->name.c_str());
		return lost = LAUNCH_FAILED;
	}
	if (!zones_intact()) {
		fprintf(stderr, "emulated card: kernel %s reached beyond its memory\n", f->name.c_str());
		return lost = ILLEGAL_ADDRESS;
	}
	return SUCCESS;
}
