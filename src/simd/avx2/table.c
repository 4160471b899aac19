#define SIMD_SUFFIX avx2
#include "simd/level.h"

const struct kernels kernels_avx2 = {
#define X(name, result, arguments) .name = name##_avx2,
    KERNEL_LIST(X)
#undef X
};
