#define SIMD_SUFFIX avx2
#include "simd/level.h"

const struct kernels kernels_avx2 = {
    .conv_f32 = conv_f32_avx2,
    .depthwise_f32 = depthwise_f32_avx2,
    .winograd_f32 = winograd_f32_avx2,
    .product_i16 = product_i16_c,
    .dot_f32 = dot_f32_avx2,
    .exp_f32 = exp_f32_avx2,
    .dots_i8 = dots_i8_avx2,
    .normalize_u8_f32 = normalize_u8_f32_avx2,
    .mix_u64 = mix_u64_avx2,
    .halve_u8 = halve_u8_avx2,
    .mix_u16_u8 = mix_u16_u8_avx2,
    .sample_u8 = sample_u8_avx2,
};
