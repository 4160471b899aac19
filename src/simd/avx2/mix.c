#define SIMD_SUFFIX avx2
#include "simd/level.h"

/* These vectors do not multiply words of 64 bits. */
void mix_u64_avx2(uint64_t lanes[8], const uint8_t *data, size_t blocks)
{
    mix_u64_c(lanes, data, blocks);
}
