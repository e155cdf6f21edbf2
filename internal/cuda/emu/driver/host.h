// Lets g++ compile the kernels' sources for the emulated driver, which runs one launch at a time: what is __shared__ or built in is a
// plain global.
#pragma once
#include <cmath>
#include <cstddef>
#include <utility>
#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __shared__ static
struct emu_dim3 { unsigned x, y, z; };
extern emu_dim3 threadIdx, blockIdx, blockDim, gridDim;
extern "C" void emu_barrier();
#define __syncthreads() emu_barrier()
inline unsigned long long atomicCAS(unsigned long long *p, unsigned long long expected, unsigned long long v) {
	unsigned long long old = *p;
	if (old == expected) *p = v;
	return old;
}
extern "C" void emu_register(const char *name, void (*call)(void **), int args);
template <class... A, size_t... I> inline void emu_call(void (*f)(A...), void **a, std::integer_sequence<size_t, I...>) { f(*(A *)a[I]...); }
template <auto F> struct emu_kernel;
template <class... A, void (*F)(A...)> struct emu_kernel<F> {
	static void call(void **a) { emu_call(F, a, std::index_sequence_for<A...>{}); }
	static const int args = sizeof...(A);
};
#define EMU_REGISTER(name) static int emu_of_##name = (emu_register(#name, emu_kernel<name>::call, emu_kernel<name>::args), 0);
