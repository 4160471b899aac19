#define SIMD_SUFFIX neondot
#include "simd/level.h"

const struct kernels kernels_neondot = {
    .conv_f32 = conv_f32_neon,
    .depthwise_f32 = depthwise_f32_neon,
    .dot_f32 = dot_f32_neon,
    .exp_f32 = exp_f32_neon,
    .dots_i8 = dots_i8_neondot,
    .normalize_u8_f32 = normalize_u8_f32_neon,
};
