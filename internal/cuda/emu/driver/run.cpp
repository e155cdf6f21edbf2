// Runs kernels. Blocks run in parallel on threads of the processor. The threads of a block run one after the other; if the kernel has
// barriers they are fibers, which switch at each barrier.
#include <atomic>
#include <condition_variable>
#include <signal.h>
#include <thread>
#include <vector>
#include "state.h"
#include "host.h"

static std::map<std::string, host_kernel> &known() { static std::map<std::string, host_kernel> k; return k; }
extern "C" void emu_register(const char *name, void (*call)(void **), int args) { known()[name] = {call, args}; }

// A module's kernels are the entries of its PTX. Each must have been compiled by g++ with the same number of parameters. A driver takes PTX up
// to the version that came with its CUDA: 6.5 with 10.2, and since CUDA 11 the same minor version, 7.0 with 11.0.
CUresult load_module(const char *ptx, module **m, std::string &why) {
	std::string s(ptx);
	auto loaded = new module;
	auto refuse = [&](const std::string &because) { why = because; delete loaded; return INVALID_PTX; };
	int major = 0, minor = 0, cuda = version / 1000, newest = cuda > 10 ? 10 * (cuda - 4) + version % 1000 / 10 : 65;
	size_t of = s.find(".version ");
	if (of != std::string::npos && sscanf(s.c_str() + of, ".version %d.%d", &major, &minor) == 2 && 10 * major + minor > newest) {
		delete loaded;
		return UNSUPPORTED_PTX;
	}
	for (size_t i = 0; (i = s.find(".entry ", i)) != std::string::npos;) {
		i += 7;
		size_t open = s.find('(', i), body = s.find('{', open), end = s.find("\n}", open);
		std::string name = s.substr(i, open - i);
		int params = 0;
		for (size_t k = open; (k = s.find(".param ", k)) < body; k++) params++;
		auto h = known().find(name);
		if (h == known().end()) return refuse("kernel " + name + " is not among the emulated ones");
		if (h->second.args != params) return refuse("kernel " + name + " has other parameters in PTX");
		size_t bar = std::min(std::min(s.find("bar.sync", body), s.find("barrier.sync", body)), s.find("mma.sync", body));
		loaded->functions[name] = {name, h->second, bar < end};
	}
	if (loaded->functions.empty()) return refuse("no kernels");
	size_t target = s.find(".target sm_");
	if (target != std::string::npos && atoi(s.c_str() + target + 11) > capability) return refuse("the PTX is for a later card");
	*m = loaded;
	return SUCCESS;
}

thread_local emu_dim3 threadIdx, blockIdx, blockDim, gridDim;

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
static thread_local void *outside;
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
static thread_local ucontext_t outside;
static void prepare(fiber &f, void (*entry)()) {
	f.stack.resize(64 << 10);
	getcontext(&f.at);
	f.at.uc_stack.ss_sp = f.stack.data(), f.at.uc_stack.ss_size = f.stack.size(), f.at.uc_link = &outside;
	makecontext(&f.at, entry, 0);
}
static void enter(fiber &f) { swapcontext(&outside, &f.at); }
static void leave(fiber &f) { swapcontext(&f.at, &outside); }
#endif
static thread_local std::vector<fiber> fibers;
static thread_local fiber *running;
static thread_local const host_kernel *kernel_now;
static thread_local void **arguments_now;
static void run_thread() {
	kernel_now->call(arguments_now);
	running->done = true;
	for (;;) leave(*running);
}
extern "C" void emu_barrier() {
	if (running) leave(*running);
}

// The fragments of a warp's threads. There are two sets: one is read while the other is written. That is enough, because a thread reaches
// the next product but one only when all threads have reached the next.
struct warp { unsigned a[2][32][4], b[2][32][2], products[32]; };
extern "C" void emu_mma(float *sum, const unsigned *a, const unsigned *b) {
	static thread_local warp warps[32];
	unsigned lane = threadIdx.x % 32, g = lane / 4, c = lane % 4;
	warp &w = warps[threadIdx.x / 32];
	int set = w.products[lane]++ % 2;
	memcpy(w.a[set][lane], a, sizeof w.a[set][lane]);
	memcpy(w.b[set][lane], b, sizeof w.b[set][lane]);
	emu_barrier();
	auto value = [](unsigned u) { float v; u &= 0xffffe000; memcpy(&v, &u, sizeof v); return (double)v; };
	for (int e = 0; e < 4; e++) { // row g or g + 8, column 2c or 2c + 1
		double s = sum[e];
		for (int k = 0; k < 8; k++)
			s += value(w.a[set][4 * g + k % 4][k / 4 * 2 + e / 2]) * value(w.b[set][4 * (2 * c + e % 2) + k % 4][k / 4]);
		sum[e] = (float)s;
	}
}

// Runs the threads of a block from barrier to barrier. It fails if some threads wait at a barrier that others never reach.
static bool run_block(const function &f) {
	unsigned n = blockDim.x;
	if (!f.barrier) {
		for (threadIdx = {0, 0, 0}; threadIdx.x < n; threadIdx.x++) f.kernel.call(arguments_now);
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

// A launch, whose blocks the caller and the crew (the threads below) run one by one.
struct job {
	const function *f;
	grid g;
	void **arguments;
	std::atomic<uint64_t> next{0};
	std::atomic<bool> bad{false};
	void work() {
		gridDim = {g.x, g.y, g.z}, blockDim = {g.threads, 1, 1};
		kernel_now = &f->kernel, arguments_now = arguments;
		uint64_t all = (uint64_t)g.x * g.y * g.z;
		for (uint64_t i; (i = next++) < all && !bad;) {
			blockIdx = {(unsigned)(i % g.x), (unsigned)(i / g.x % g.y), (unsigned)(i / g.x / g.y)};
			if (!run_block(*f)) bad = true;
		}
	}
};

// The crew: threads that wait for launches and help with one at a time. A launch waits only for the threads that have taken part, not for
// those that a busy machine has not woken yet.
struct crew {
	std::mutex m;
	std::condition_variable start, end;
	job *now = nullptr;
	uint64_t round = 0;
	unsigned at_work = 0;
	crew() {
		unsigned n = std::thread::hardware_concurrency();
		sigset_t all, before; // the program's own threads handle signals
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		for (unsigned i = 0; i + 1 < n && i < 7; i++) std::thread([this] { serve(); }).detach();
		pthread_sigmask(SIG_SETMASK, &before, nullptr);
	}
	void serve() {
		uint64_t seen = 0;
		std::unique_lock<std::mutex> l(m);
		for (;;) {
			start.wait(l, [&] { return now && round != seen; });
			seen = round, at_work++;
			job *j = now;
			l.unlock();
			j->work();
			l.lock();
			if (--at_work == 0) end.notify_all();
		}
	}
	void run(job &j) {
		{
			std::lock_guard<std::mutex> l(m);
			now = &j, round++;
		}
		start.notify_all();
		j.work();
		std::unique_lock<std::mutex> l(m);
		now = nullptr;
		end.wait(l, [&] { return at_work == 0; });
	}
};

bool run_grid(const function &f, grid g, void **arguments) {
	static crew *all = new crew; // never freed: its threads run until the process ends
	job j;
	j.f = &f, j.g = g, j.arguments = arguments;
	uint64_t threads = (uint64_t)g.x * g.y * g.z * g.threads, few = f.barrier ? 1024 : 16384; // so few threads are not worth waking the crew
	if (threads <= few) j.work();
	else all->run(j);
	return !j.bad;
}
