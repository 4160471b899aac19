#define SIMD_SUFFIX c
#include "simd/level.h"

const struct kernels kernels_c = {
#define X(name, result, arguments) .name = name##_c,
    KERNEL_LIST(X)
#undef X
};
