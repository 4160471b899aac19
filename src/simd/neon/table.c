#define SIMD_SUFFIX neon
#include "simd/level.h"

const struct kernels kernels_neon = {
#define X(name, result, arguments) .name = name##_neon,
    KERNEL_LIST(X)
#undef X
};
