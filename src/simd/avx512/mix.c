#define SIMD_SUFFIX avx512
#include "simd/level.h"

#include <immintrin.h>

/* The eight lanes are one vector. */
void mix_u64_avx512(uint64_t lanes[8], const uint8_t *data, size_t blocks)
{
    const __m512i factor = _mm512_set1_epi64(INT64_C(-0x61c8864680b583eb)); /* 0x9e3779b97f4a7c15 */
    __m512i all = _mm512_loadu_si512(lanes);
    for (size_t i = 0; i < blocks; i++, data += 64) {
        all = _mm512_mullo_epi64(_mm512_xor_si512(all, _mm512_loadu_si512(data)), factor);
        all = _mm512_xor_si512(all, _mm512_srli_epi64(all, 29));
    }
    _mm512_storeu_si512(lanes, all);
}
