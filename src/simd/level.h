#ifndef SIMD_LEVEL_H
#define SIMD_LEVEL_H

/* For the kernels' own files: define SIMD_SUFFIX (c, avx2, avx512, vnni, neon, neondot), include
 * this, and KERNEL(conv_f32) is that kernel's name at this level. */
#include "simd/kernels.h"

#define SIMD_PASTE_(a, b) a##_##b
#define SIMD_PASTE(a, b) SIMD_PASTE_(a, b)
#define KERNEL(name) SIMD_PASTE(name, SIMD_SUFFIX)

/* Not every level has every kernel: where the one below is as fast, its table names that one. */
#define X(name, result, arguments)                                                                 \
    result name##_c arguments;                                                                     \
    result name##_avx2 arguments;                                                                  \
    result name##_avx512 arguments;                                                                \
    result name##_vnni arguments;                                                                  \
    result name##_neon arguments;                                                                  \
    result name##_neondot arguments;
KERNEL_LIST(X)
#undef X

/* What conv_f32 has besides and winograd_f32 uses: see simd/conv.h. */
extern const struct conv_shape SIMD_PASTE(conv_wide, SIMD_SUFFIX),
    SIMD_PASTE(conv_narrow, SIMD_SUFFIX);

extern const struct kernels SIMD_PASTE(kernels, SIMD_SUFFIX);

#endif
