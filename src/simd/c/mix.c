#define SIMD_SUFFIX c
#include "simd/level.h"

#include <string.h>

void mix_u64_c(uint64_t lanes[8], const uint8_t *data, size_t blocks)
{
    uint64_t all[8], words[8];
    memcpy(all, lanes, sizeof all);
    for (size_t i = 0; i < blocks; i++, data += sizeof words) {
        memcpy(words, data, sizeof words);
        for (int lane = 0; lane < 8; lane++) {
            all[lane] = (all[lane] ^ words[lane]) * UINT64_C(0x9e3779b97f4a7c15);
            all[lane] ^= all[lane] >> 29;
        }
    }
    memcpy(lanes, all, sizeof all);
}
