// libcuda.so.1 on host memory: the part of the driver that package cuda calls, for tests on machines without a card. Device memory is
// filled with NaN when it is allocated, lies between red zones that every launch must leave as they are, and is told from host memory
// in copies. A module's kernels are those that its PTX names; what runs is the same source compiled by g++. Threads of a block are
// fibers that change places at barriers. All work is done when it is queued.
//
// Beside the driver's functions there are those of tests, emu_...: see package emu.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>
#include "host.h"
#define API extern "C" __attribute__((visibility("default")))

typedef int CUresult;
typedef uint64_t CUdeviceptr;
enum {
	SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_PTX = 218,
	INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719,
};
static const std::map<int, std::pair<const char *, const char *>> errors = {
	{1, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}}, {2, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
	{100, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}}, {101, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
	{201, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}}, {218, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
	{400, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}}, {500, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
	{700, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
	{719, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
};

// What the program has of the device, all under one lock.
static std::recursive_mutex lock;
#define LOCKED std::lock_guard<std::recursive_mutex> locked(lock);
struct block { size_t bytes; char *base; };
static std::map<CUdeviceptr, block> blocks;
static std::map<void *, size_t> pinned;
static size_t used, total = (size_t)8 << 30;
static long streams, contexts, modules, launches, devices = 1;
static int lost; // the error that the context keeps, once it has one
static thread_local uintptr_t current;
static const size_t zone = 256;

// Failures that tests ask for: the n-th next call of a function answers code.
struct failure { long after; int code; };
static std::map<std::string, failure> failures;
static CUresult planned(const char *call) {
	auto f = failures.find(call);
	if (f == failures.end() || f->second.after-- > 0) return SUCCESS;
	int code = f->second.code;
	failures.erase(f);
	if (code >= 700) lost = code;
	return code;
}
#define BEGIN(name) LOCKED if (CUresult r = planned(name)) return r;
#define BEGIN_IN_CONTEXT(name) BEGIN(name) if (!current) return INVALID_CONTEXT; if (lost) return lost;

API void emu_fail(const char *call, long after, int code) { LOCKED failures[call] = {after, code}; }
API void emu_reset() { LOCKED failures.clear(); lost = 0; total = (size_t)8 << 30; devices = 1; }
API void emu_set_memory(size_t bytes) { LOCKED total = bytes; }
API void emu_set_devices(long n) { LOCKED devices = n; }
// What is in use: bytes of device memory, blocks of it, bytes of pinned memory, streams, contexts, modules; and launches so far.
API void emu_count(int64_t *out) {
	LOCKED
	int64_t host = 0;
	for (auto &p : pinned) host += p.second;
	int64_t v[] = {(int64_t)used, (int64_t)blocks.size(), host, streams, contexts, modules, launches};
	memcpy(out, v, sizeof v);
}

// Kernels.
struct host_kernel { void (*call)(void **); int args; };
static std::map<std::string, host_kernel> &known() { static std::map<std::string, host_kernel> k; return k; }
extern "C" void emu_register(const char *name, void (*call)(void **), int args) { known()[name] = {call, args}; }

struct function { std::string name; host_kernel kernel; bool barrier; };
struct module { std::map<std::string, function> functions; };
emu_dim3 threadIdx, blockIdx, blockDim, gridDim;

// Fibers.
#ifdef __x86_64__
extern "C" void emu_switch(void **from, void *to);
asm(R"(
.text
.globl emu_switch
.hidden emu_switch
.type emu_switch,@function
emu_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
)");
struct fiber { void *sp; bool done; std::vector<char> stack; };
static void *outside;
static void prepare(fiber &f, void (*entry)()) {
	f.stack.resize(64 << 10);
	void **sp = (void **)(((uintptr_t)f.stack.data() + f.stack.size()) & ~(uintptr_t)15);
	*--sp = nullptr;
	*--sp = (void *)entry;
	for (int i = 0; i < 6; i++) *--sp = nullptr;
	f.sp = sp;
}
static void enter(fiber &f) { emu_switch(&outside, f.sp); }
static void leave(fiber &f) { emu_switch(&f.sp, outside); }
#else
#include <ucontext.h>
struct fiber { ucontext_t at; bool done; std::vector<char> stack; };
static ucontext_t outside;
static void prepare(fiber &f, void (*entry)()) {
	f.stack.resize(64 << 10);
	getcontext(&f.at);
	f.at.uc_stack.ss_sp = f.stack.data(), f.at.uc_stack.ss_size = f.stack.size(), f.at.uc_link = &outside;
	makecontext(&f.at, entry, 0);
}
static void enter(fiber &f) { swapcontext(&outside, &f.at); }
static void leave(fiber &f) { swapcontext(&f.at, &outside); }
#endif
static std::vector<fiber> fibers;
static fiber *running;
static const host_kernel *kernel_now;
static void **arguments;
static void run_thread() {
	kernel_now->call(arguments);
	running->done = true;
	for (;;) leave(*running);
}
extern "C" void emu_barrier() {
	if (running) leave(*running);
}

// Runs the threads of a block, from barrier to barrier. It fails where some wait at one that others never reach.
static bool run_block(const function &f) {
	unsigned n = blockDim.x;
	if (!f.barrier) {
		for (threadIdx = {0, 0, 0}; threadIdx.x < n; threadIdx.x++) f.kernel.call(arguments);
		return true;
	}
	if (fibers.size() < n) fibers.resize(n);
	for (unsigned i = 0; i < n; i++) fibers[i].done = false, prepare(fibers[i], run_thread);
	for (unsigned left = n; left;) {
		unsigned ended = 0;
		for (unsigned i = 0; i < n; i++) {
			if (fibers[i].done) continue;
			running = &fibers[i], threadIdx = {i, 0, 0};
			enter(fibers[i]);
			ended += fibers[i].done;
		}
		running = nullptr;
		if (ended && ended != left) return false;
		left -= ended;
	}
	return true;
}

static bool zones_intact() {
	for (auto &b : blocks) {
		const char *p = b.second.base, *q = (const char *)b.first + b.second.bytes;
		for (size_t i = 0; i < zone; i++)
			if (p[i] != (char)0xff || q[i] != (char)0xff) return false;
	}
	return true;
}

API CUresult cuInit(unsigned) { BEGIN("cuInit") return devices ? SUCCESS : NO_DEVICE; }
API CUresult cuDriverGetVersion(int *v) { *v = 12040; return SUCCESS; }
API CUresult cuGetErrorName(int e, const char **s) { auto i = errors.find(e); *s = i == errors.end() ? nullptr : i->second.first; return i == errors.end(); }
API CUresult cuGetErrorString(int e, const char **s) { auto i = errors.find(e); *s = i == errors.end() ? nullptr : i->second.second; return i == errors.end(); }
API CUresult cuDeviceGetCount(int *n) { BEGIN("cuDeviceGetCount") *n = (int)devices; return SUCCESS; }
API CUresult cuDeviceGet(int *d, int i) { *d = i; return i < 0 || i >= devices ? INVALID_DEVICE : SUCCESS; }
API CUresult cuDeviceGetName(char *s, int n, int d) { snprintf(s, n, "emulated card %d", d); return SUCCESS; }
API CUresult cuDeviceTotalMem_v2(size_t *b, int) { LOCKED *b = total; return SUCCESS; }
API CUresult cuDeviceGetAttribute(int *v, int a, int) { *v = a == 75 ? 9 : a == 76 ? 0 : a == 16 ? 132 : 0; return SUCCESS; }
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
	memset(base, 0xff, whole); // as float32 that is NaN
	*p = (CUdeviceptr)(base + zone);
	blocks[*p] = {n, base}, used += n;
	return SUCCESS;
}
API CUresult cuMemFree_v2(CUdeviceptr p) {
	LOCKED // works on a lost context, too: the memory of this process is given back in any case
	auto b = blocks.find(p);
	if (b == blocks.end()) return INVALID_VALUE;
	used -= b->second.bytes;
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
static bool on_device(CUdeviceptr p, size_t n) {
	auto b = blocks.upper_bound(p);
	return b != blocks.begin() && (--b, p + n <= b->first + b->second.bytes);
}
API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *s, size_t n, uintptr_t stream) {
	BEGIN_IN_CONTEXT("cuMemcpyHtoDAsync")
	if (!stream) return INVALID_HANDLE;
	if (!on_device(d, n) || on_device((CUdeviceptr)s, 1)) return INVALID_VALUE;
	memcpy((void *)d, s, n);
	return SUCCESS;
}
API CUresult cuMemcpyDtoHAsync_v2(void *d, CUdeviceptr s, size_t n, uintptr_t stream) {
	BEGIN_IN_CONTEXT("cuMemcpyDtoHAsync")
	if (!stream) return INVALID_HANDLE;
	if (!on_device(s, n) || on_device((CUdeviceptr)d, 1)) return INVALID_VALUE;
	memcpy(d, (void *)s, n);
	return SUCCESS;
}
API CUresult cuMemsetD32Async(CUdeviceptr d, unsigned v, size_t n, uintptr_t stream) {
	BEGIN_IN_CONTEXT("cuMemsetD32Async")
	if (!stream) return INVALID_HANDLE;
	if (!on_device(d, 4 * n)) return INVALID_VALUE;
	for (size_t i = 0; i < n; i++) ((unsigned *)d)[i] = v;
	return SUCCESS;
}
API CUresult cuStreamCreate(uintptr_t *s, unsigned) { BEGIN_IN_CONTEXT("cuStreamCreate") streams++; *s = (uintptr_t)malloc(1); return SUCCESS; }
API CUresult cuStreamDestroy_v2(uintptr_t s) { LOCKED streams--; free((void *)s); return lost; }
API CUresult cuStreamSynchronize(uintptr_t s) { BEGIN_IN_CONTEXT("cuStreamSynchronize") return s ? SUCCESS : INVALID_HANDLE; }

// A module's kernels are the entries of its PTX; g++ must have compiled each, with as many parameters.
API CUresult cuModuleLoadDataEx(module **m, const void *image, unsigned n, int *options, void **values) {
	BEGIN_IN_CONTEXT("cuModuleLoadDataEx")
	char *log = nullptr;
	size_t size = 0;
	for (unsigned i = 0; i < n; i++)
		if (options[i] == 5) log = (char *)values[i];
		else if (options[i] == 6) size = (size_t)values[i];
	auto refuse = [&](const std::string &why) { if (log) snprintf(log, size, "%s", why.c_str()); return INVALID_PTX; };
	std::string s((const char *)image);
	auto loaded = new module;
	for (size_t i = 0; (i = s.find(".entry ", i)) != std::string::npos;) {
		i += 7;
		size_t open = s.find('(', i), body = s.find('{', open), end = s.find("\n}", open);
		std::string name = s.substr(i, open - i);
		int params = 0;
		for (size_t k = open; (k = s.find(".param ", k)) < body; k++) params++;
		auto h = known().find(name);
		if (h == known().end()) return delete loaded, refuse("kernel " + name + " is not among the emulated ones");
		if (h->second.args != params) return delete loaded, refuse("kernel " + name + " has other parameters in PTX");
		size_t bar = std::min(s.find("bar.sync", body), s.find("barrier.sync", body));
		loaded->functions[name] = {name, h->second, bar < end};
	}
	if (loaded->functions.empty()) return delete loaded, refuse("no kernels");
	modules++;
	*m = loaded;
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
	if (!f || !stream) return INVALID_HANDLE;
	if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !bx || bx > 1024 || by != 1 || bz != 1) return INVALID_VALUE;
	launches++;
	gridDim = {gx, gy, gz}, blockDim = {bx, 1, 1};
	kernel_now = &f->kernel, arguments = args;
	for (unsigned z = 0; z < gz; z++)
		for (unsigned y = 0; y < gy; y++)
			for (unsigned x = 0; x < gx; x++) {
				blockIdx = {x, y, z};
				if (!run_block(*f)) {
					fprintf(stderr, "emulated card: kernel %s: threads wait at a barrier that others of their block never reach\n", f->name.c_str());
					return lost = LAUNCH_FAILED;
				}
			}
	if (!zones_intact()) {
		fprintf(stderr, "emulated card: kernel %s wrote beside its memory\n", f->name.c_str());
		return lost = ILLEGAL_ADDRESS;
	}
	return SUCCESS;
}
