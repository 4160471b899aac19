#include "nn/format.h"
#include "simd/kernels.h"

#include <string.h>

enum { LANES = 8 };

static uint64_t mix(uint64_t lane, uint64_t word)
{
    lane = (lane ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return lane ^ lane >> 29;
}

uint64_t model_checksum(const void *data, size_t size)
{
    const unsigned char *at = data;
    uint64_t lanes[LANES], words[LANES];
    for (size_t i = 0; i < LANES; i++)
        lanes[i] = size + i;
    size_t blocks = size / sizeof words, left = size % sizeof words;
    simd_kernels(simd_best())->mix_u64(lanes, at, blocks);
    at += blocks * sizeof words;
    memset(words, 0, sizeof words);
    memcpy(words, at, left);
    uint64_t sum = 0;
    for (size_t i = 0; i < LANES; i++)
        sum = mix(sum, mix(lanes[i], words[i]));
    return sum;
}
