/* Kernels over pictures. */
#define SIMD_SUFFIX c
#include "simd/level.h"

void halve_u8_c(uint8_t *out, const uint8_t *row, const uint8_t *below, size_t n)
{
    for (size_t i = 0; i < n; i++, row += 6, below += 6)
        for (int c = 0; c < 3; c++)
            *out++ = (uint8_t)((row[c] + row[c + 3] + below[c] + below[c + 3] + 2) >> 2);
}

void mix_u16_u8_c(uint8_t *out, const uint16_t *sums, const struct taps *taps, size_t n)
{
    for (size_t i = 0; i < n; i++, taps++)
        for (int c = 0; c < 3; c++) {
            uint32_t sum = 1u << 21;
            for (int t = 0; t < taps->count; t++)
                sum += sums[3 * (taps->first + t) + c] * (uint32_t)taps->weights[t];
            *out++ = (uint8_t)(sum >> 22);
        }
}

void sample_u8_c(uint8_t *out, const uint8_t *pixels, size_t stride, const struct spot *spots,
                 size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = pixels + spots[i].at, *below = at + stride;
        uint32_t right = spots[i].right, down = spots[i].down, left = 2048 - right;
        for (int c = 0; c < 3; c++) {
            uint32_t top = at[c] * left + at[c + 3] * right;
            uint32_t bottom = below[c] * left + below[c + 3] * right;
            *out++ = (uint8_t)((top * (2048 - down) + bottom * down + (1u << 21)) >> 22);
        }
    }
}
