#ifndef SIMD_INLINE_H
#define SIMD_INLINE_H

/* Kernels are written once for a constant number of rows and made for each by inlining. */
#define INLINE static inline __attribute__((always_inline))

/* Before a loop of constant length over registers: it must vanish, or the registers become memory.
 */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#endif
