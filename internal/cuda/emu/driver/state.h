// Declarations that the parts of the emulated driver share: the state of the card, all of it under one lock, and the names of results.
#pragma once
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#define API extern "C" __attribute__((visibility("default")))

typedef int CUresult;
typedef uint64_t CUdeviceptr;
enum {
	SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_PTX = 218,
	UNSUPPORTED_PTX = 222, INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, LAUNCH_FAILED = 719,
};

inline std::recursive_mutex lock;
#define LOCKED std::lock_guard<std::recursive_mutex> locked(lock);
struct block { size_t bytes; char *base; };
inline std::map<CUdeviceptr, block> blocks;
inline std::map<void *, size_t> pinned;
inline size_t used, total = (size_t)8 << 30;
inline long streams, contexts, modules, devices = 1;
inline long launches, uploads, uploaded, downloads, pageable; // counts so far; uploaded is in bytes, pageable counts copies from or to memory that is not pinned
inline int rehearsed = getenv("GOLINE_EMULATED_CAPABILITY") ? atoi(getenv("GOLINE_EMULATED_CAPABILITY")) : 0; // in place of a real card
inline int capability = rehearsed ? rehearsed : 90; // ten times the compute capability
inline int version = 12040;   // of CUDA: 12040 is 12.4
inline int lost;              // the error of a lost context, which it keeps for good; 0 before
inline thread_local uintptr_t current; // the current context: a device's number plus 1 for its primary context, an address for a created context
#ifdef __SANITIZE_ADDRESS__
// AddressSanitizer finds every access to a red zone, wherever in it, and to freed memory, so zones are large.
inline const size_t zone = 1 << 16;
inline std::atomic<bool> beyond; // whether a kernel reached beyond its memory
#else
inline const size_t zone = 256;
#endif

// Failures that tests ask for: after a number of further calls, a function returns code.
struct failure { long after; int code; };
inline std::map<std::string, failure> failures;
inline CUresult planned(const char *call) {
	auto f = failures.find(call);
	if (f == failures.end() || f->second.after-- > 0) return SUCCESS;
	int code = f->second.code;
	failures.erase(f);
	if (code >= 700) lost = code;
	return code;
}
#define BEGIN(name) LOCKED if (CUresult r = planned(name)) return r;
#define BEGIN_IN_CONTEXT(name) BEGIN(name) if (!current) return INVALID_CONTEXT; if (lost) return lost;

// Package cuda queues all work on streams that it has created. Other users may use the default stream, 0, of contexts that they have created.
inline bool usable(uintptr_t stream) { return stream || current > 1000; }

inline bool on_device(CUdeviceptr p, size_t n) {
	auto b = blocks.upper_bound(p);
	return b != blocks.begin() && (--b, p + n <= b->first + b->second.bytes);
}
inline bool is_pinned(const void *p, size_t n) {
	auto b = pinned.upper_bound((void *)p);
	return b != pinned.begin() && (--b, (const char *)p + n <= (const char *)b->first + b->second);
}
bool zones_intact();

// A kernel: the function that g++ has compiled, and whether it has barriers.
struct host_kernel { void (*call)(void **); int args; };
struct function { std::string name; host_kernel kernel; bool barrier; };
struct module { std::map<std::string, function> functions; };
CUresult load_module(const char *ptx, module **m, std::string &why); // why says for what reason a module is refused
struct grid { unsigned x, y, z, threads; };
bool run_grid(const function &f, grid g, void **arguments); // false if threads miss a barrier
