#define SIMD_SUFFIX avx512
#include "simd/level.h"

const struct kernels kernels_avx512 = {
#define X(name, result, arguments) .name = name##_avx512,
    KERNEL_LIST(X)
#undef X
};
