#define SIMD_SUFFIX vnni
#include "simd/level.h"

const struct kernels kernels_vnni = {
    .conv_f32 = conv_f32_avx512,
    .depthwise_f32 = depthwise_f32_avx512,
    .dot_f32 = dot_f32_avx2,
    .exp_f32 = exp_f32_avx2,
    .dots_i8 = dots_i8_vnni,
    .normalize_u8_f32 = normalize_u8_f32_avx2,
};
