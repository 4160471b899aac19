#define SIMD_SUFFIX neon
#include "simd/level.h"

const struct kernels kernels_neon = {
    .conv_f32 = conv_f32_neon,
    .depthwise_f32 = depthwise_f32_neon,
    .winograd_f32 = winograd_f32_neon,
    .product_i16 = product_i16_c,
    .dot_f32 = dot_f32_neon,
    .exp_f32 = exp_f32_neon,
    .dots_i8 = dots_i8_neon,
    .normalize_u8_f32 = normalize_u8_f32_neon,
    .mix_u64 = mix_u64_neon,
    .halve_u8 = halve_u8_neon,
    .mix_u16_u8 = mix_u16_u8_neon,
    .sample_u8 = sample_u8_neon,
};
