#ifndef SIMD_LEVEL_H
#define SIMD_LEVEL_H

/* For the kernels' own files: define SIMD_SUFFIX (c, avx2, avx512, neon), include this, and
 * KERNEL(conv_f32) is that kernel's name at this level. */
#include "simd/kernels.h"

#define SIMD_PASTE_(a, b) a##_##b
#define SIMD_PASTE(a, b) SIMD_PASTE_(a, b)
#define KERNEL(name) SIMD_PASTE(name, SIMD_SUFFIX)

#define X(name, result, arguments) result KERNEL(name) arguments;
KERNEL_LIST(X)
#undef X

extern const struct kernels SIMD_PASTE(kernels, SIMD_SUFFIX);

#endif
