#define SIMD_SUFFIX neon
#include "simd/inline.h"
#include "simd/level.h"

#include <arm_neon.h>

enum { STEP = 8 }; /* output pixels at once */

void halve_u8_neon(uint8_t *out, const uint8_t *row, const uint8_t *below, size_t n)
{
    size_t i = 0;
    for (; i + STEP <= n; i += STEP, row += 6 * STEP, below += 6 * STEP, out += 3 * STEP) {
        uint8x16x3_t upper = vld3q_u8(row), lower = vld3q_u8(below);
        uint8x8x3_t mean;
        UNROLL
        for (int c = 0; c < 3; c++)
            mean.val[c] = vrshrn_n_u16(vpadalq_u8(vpaddlq_u8(upper.val[c]), lower.val[c]), 2);
        vst3_u8(out, mean);
    }
    halve_u8_c(out, row, below, n - i);
}

INLINE void store_pixel(uint8_t *out, uint32x4_t value)
{
    uint16x4_t narrow = vmovn_u32(value);
    uint8x8_t bytes = vmovn_u16(vcombine_u16(narrow, narrow));
    out[0] = vget_lane_u8(bytes, 0);
    out[1] = vget_lane_u8(bytes, 1);
    out[2] = vget_lane_u8(bytes, 2);
}

/* Three of the four lanes are a pixel; the fourth is the next one's red. */
void mix_u16_u8_neon(uint8_t *out, const uint16_t *sums, const struct taps *taps, size_t n)
{
    for (size_t i = 0; i < n; i++, taps++, out += 3) {
        const uint16_t *in = sums + 3 * (size_t)taps->first;
        uint32x4_t sum = vdupq_n_u32(1u << 21);
        for (int t = 0; t < taps->count; t++, in += 3)
            sum = vmlal_n_u16(sum, vld1_u16(in), taps->weights[t]);
        store_pixel(out, vshrq_n_u32(sum, 22));
    }
}

/* left * pixel + right * the next pixel. */
INLINE uint32x4_t mix_across(const uint8_t *at, uint32_t right)
{
    uint8x8_t bytes = vld1_u8(at);
    uint16x8_t wide = vmovl_u8(bytes);
    uint16x4_t next = vext_u16(vget_low_u16(wide), vget_high_u16(wide), 3);
    uint32x4_t sum = vmull_n_u16(vget_low_u16(wide), (uint16_t)(2048 - right));
    return vmlal_n_u16(sum, next, (uint16_t)right);
}

void sample_u8_neon(uint8_t *out, const uint8_t *pixels, size_t stride, const struct spot *spots,
                    size_t n)
{
    for (size_t i = 0; i < n; i++, spots++, out += 3) {
        const uint8_t *at = pixels + spots->at;
        uint32x4_t top = mix_across(at, spots->right);
        uint32x4_t bottom = mix_across(at + stride, spots->right);
        uint32x4_t sum = vmulq_n_u32(top, 2048u - spots->down);
        sum = vmlaq_n_u32(sum, bottom, spots->down);
        store_pixel(out, vshrq_n_u32(vaddq_u32(sum, vdupq_n_u32(1u << 21)), 22));
    }
}
