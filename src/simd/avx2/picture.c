#define SIMD_SUFFIX avx2
#include "simd/inline.h"
#include "simd/level.h"

#include <immintrin.h>
#include <string.h>

enum {
    STEP = 4,                         /* output pixels at once, 2 in each half of a vector */
    MIX_START = (1 << 21) + (1 << 29) /* to round, and 2^15 times all weights: see add_taps() */
};

/* Of 8 pixels of a row, each channel of a pair side by side. */
INLINE __m256i load_pairs(const uint8_t *row)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)row);
    /* The last 12 bytes end the vector: nothing behind them is read. */
    const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(row + 8));
    const __m256i order = _mm256_setr_epi8(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11, -1, -1, -1, -1, 4,
                                           7, 5, 8, 6, 9, 10, 13, 11, 14, 12, 15, -1, -1, -1, -1);
    return _mm256_shuffle_epi8(_mm256_set_m128i(high, low), order);
}

void halve_u8_avx2(uint8_t *out, const uint8_t *row, const uint8_t *below, size_t n)
{
    const __m256i ones = _mm256_set1_epi8(1), half = _mm256_set1_epi16(2);
    size_t i = 0;
    for (; i + STEP <= n; i += STEP, row += 6 * STEP, below += 6 * STEP, out += 3 * STEP) {
        __m256i sum = _mm256_add_epi16(_mm256_maddubs_epi16(load_pairs(row), ones),
                                       _mm256_maddubs_epi16(load_pairs(below), ones));
        sum = _mm256_srli_epi16(_mm256_add_epi16(sum, half), 2);
        sum = _mm256_packus_epi16(sum, sum);
        __m128i low = _mm256_castsi256_si128(sum), high = _mm256_extracti128_si256(sum, 1);
        __m128i both = _mm_or_si128(_mm_and_si128(low, _mm_set_epi32(0, 0, 0xffff, -1)),
                                    _mm_slli_si128(_mm_move_epi64(high), 6));
        memcpy(out, &both, 12);
    }
    halve_u8_c(out, row, below, n - i);
}

/* The low bytes of three of four 32-bit lanes. */
INLINE void store_pixel(uint8_t *out, __m128i value)
{
    const __m128i order =
        _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    uint32_t bytes = (uint32_t)_mm_cvtsi128_si32(_mm_shuffle_epi8(value, order));
    memcpy(out, &bytes, 3);
}

/* Adds two taps to a pixel's sum: each channel of the two side by side. The products are of numbers
 * with a sign, so the inputs are taken 2^15 lower. */
INLINE __m128i add_taps(__m128i sum, const uint16_t *in, int32_t weights)
{
    const __m128i order = _mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -1, -1, -1, -1);
    __m128i pixels = _mm_loadu_si128((const __m128i *)(const void *)in);
    pixels = _mm_xor_si128(_mm_shuffle_epi8(pixels, order), _mm_set1_epi16(INT16_MIN));
    return _mm_add_epi32(sum, _mm_madd_epi16(pixels, _mm_set1_epi32(weights)));
}

/* Three lanes are a pixel, the fourth is nothing. */
INLINE __m128i mix_pixel(const uint16_t *sums, const struct taps *taps)
{
    const uint16_t *in = sums + 3 * (size_t)taps->first, *weights = taps->weights;
    __m128i sum = _mm_set1_epi32(MIX_START);
    int left = taps->count;
    for (; left > 1; left -= 2, in += 6, weights += 2) {
        int32_t pair;
        memcpy(&pair, weights, sizeof pair);
        sum = add_taps(sum, in, pair);
    }
    if (left)
        sum = add_taps(sum, in, *weights);
    return _mm_srli_epi32(sum, 22);
}

INLINE __m256i load_both(const void *first, const void *second)
{
    return _mm256_set_m128i(_mm_loadu_si128(second), _mm_loadu_si128(first));
}

/* Two pixels of two taps each. */
INLINE __m256i mix_two(const uint16_t *sums, const struct taps *taps)
{
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -1, -1, -1, -1));
    int32_t first, second;
    memcpy(&first, taps[0].weights, sizeof first);
    memcpy(&second, taps[1].weights, sizeof second);
    __m256i pixels = load_both(sums + 3 * (size_t)taps[0].first, sums + 3 * (size_t)taps[1].first);
    pixels = _mm256_xor_si256(_mm256_shuffle_epi8(pixels, order), _mm256_set1_epi16(INT16_MIN));
    __m256i sum =
        _mm256_madd_epi16(pixels, _mm256_set_m128i(_mm_set1_epi32(second), _mm_set1_epi32(first)));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(MIX_START)), 22);
}

INLINE int have_two(const struct taps *taps)
{
    return taps[0].count == 2 && taps[1].count == 2 && taps[2].count == 2 && taps[3].count == 2;
}

void mix_u16_u8_avx2(uint8_t *out, const uint16_t *sums, const struct taps *taps, size_t n)
{
    const __m128i order = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    size_t i = 0;
    for (; i + STEP <= n; i += STEP, taps += STEP, out += 3 * STEP) {
        __m128i words;
        if (have_two(taps)) {
            __m256i all = _mm256_packus_epi32(mix_two(sums, taps), mix_two(sums, taps + 2));
            words = _mm_packus_epi16(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
            words = _mm_shuffle_epi32(words, _MM_SHUFFLE(3, 1, 2, 0));
        } else {
            words = _mm_packus_epi16(
                _mm_packus_epi32(mix_pixel(sums, taps), mix_pixel(sums, taps + 1)),
                _mm_packus_epi32(mix_pixel(sums, taps + 2), mix_pixel(sums, taps + 3)));
        }
        __m128i bytes = _mm_shuffle_epi8(words, order);
        memcpy(out, &bytes, 3 * STEP);
    }
    for (; i < n; i++, taps++, out += 3)
        store_pixel(out, mix_pixel(sums, taps));
}

/* Each half: the pixels at a spot and right of it, each channel of the two side by side. */
INLINE __m256i load_neighbours(const uint8_t *first, const uint8_t *second)
{
    const __m256i order = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    __m128i low = _mm_loadl_epi64((const __m128i *)(const void *)first);
    __m128i high = _mm_loadl_epi64((const __m128i *)(const void *)second);
    return _mm256_shuffle_epi8(_mm256_set_m128i(high, low), order);
}

INLINE __m256i set_halves(uint32_t low, uint32_t high)
{
    return _mm256_set_m128i(_mm_set1_epi32((int)high), _mm_set1_epi32((int)low));
}

/* Weights of a pair: the first in the low half. */
INLINE uint32_t pair_of(uint32_t second)
{
    return second << 16 | (2048 - second);
}

/* Two pixels at once. */
INLINE __m256i sample_two(const uint8_t *pixels, size_t stride, const struct spot *a,
                          const struct spot *b)
{
    const uint8_t *first = pixels + a->at, *second = pixels + b->at;
    __m256i across = set_halves(pair_of(a->right), pair_of(b->right));
    __m256i down = set_halves(a->down, b->down);
    __m256i top = _mm256_madd_epi16(load_neighbours(first, second), across);
    __m256i bottom = _mm256_madd_epi16(load_neighbours(first + stride, second + stride), across);
    __m256i change = _mm256_mullo_epi32(_mm256_sub_epi32(bottom, top), down);
    __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(top, 11), change);
    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << 21)), 22);
}

void sample_u8_avx2(uint8_t *out, const uint8_t *pixels, size_t stride, const struct spot *spots,
                    size_t n)
{
    for (size_t i = 0; i < n; i += 2, out += 6) {
        const struct spot *second = &spots[i + 1 < n ? i + 1 : i];
        __m256i two = sample_two(pixels, stride, &spots[i], second);
        store_pixel(out, _mm256_castsi256_si128(two));
        if (i + 1 < n)
            store_pixel(out + 3, _mm256_extracti128_si256(two, 1));
    }
}
