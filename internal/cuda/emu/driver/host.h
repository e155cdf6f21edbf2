// Lets g++ compile the kernels' sources for the emulated driver. Each block runs on one thread of the processor, so __shared__ and built-in
// variables are thread-local variables.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#define EMULATED
#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __shared__ static thread_local
struct emu_dim3 { unsigned x, y, z; };
extern thread_local emu_dim3 threadIdx, blockIdx, blockDim, gridDim;
extern "C" void emu_barrier();
#define __syncthreads() emu_barrier()
inline unsigned long long atomicCAS(unsigned long long *p, unsigned long long expected, unsigned long long v) {
	return __sync_val_compare_and_swap(p, expected, v);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned __int128)a * b >> 64; }

// TF32 has eleven bits of significand, rounded to nearest with ties away from zero. A product of fragments is that of the whole warp.
inline unsigned tf32(float v) {
	unsigned u;
	memcpy(&u, &v, sizeof u);
	if (v != v) return 0x7fffe000;
	if ((u & 0x7f800000) != 0x7f800000) u += 0x1000;
	return u & 0xffffe000;
}
extern "C" void emu_mma(float *sum, const unsigned *a, const unsigned *b);
inline void mma(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) { emu_mma(sum, a, b); }

extern "C" void emu_register(const char *name, void (*call)(void **), int args);
template <class... A, size_t... I> inline void emu_call(void (*f)(A...), void **a, std::integer_sequence<size_t, I...>) { f(*(A *)a[I]...); }
template <auto F> struct emu_kernel;
template <class... A, void (*F)(A...)> struct emu_kernel<F> {
	static void call(void **a) { emu_call(F, a, std::index_sequence_for<A...>{}); }
	static const int args = sizeof...(A);
};
#define EMU_REGISTER(name) static int emu_of_##name = (emu_register(#name, emu_kernel<name>::call, emu_kernel<name>::args), 0);
