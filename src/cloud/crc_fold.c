#include "cloud/crc_fold.h"

#include <string.h>

enum { LANES = CRC_FOLD_BYTES / CRC_FOLDED_BYTES };

/* 16 bytes; the first 8 hold the higher powers of x. */
typedef uint64_t lane __attribute__((vector_size(16)));

static inline lane load(const unsigned char *p)
{
    lane value;
    memcpy(&value, p, sizeof value);
    return value;
}

#ifdef __x86_64__

#include <wmmintrin.h>

#define WITH_PRODUCTS __attribute__((target("pclmul,sse4.2")))

int crc_fold_is_fast(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.2");
}

WITH_PRODUCTS static inline lane move(lane value, lane by)
{
    __m128i v = (__m128i)value, b = (__m128i)by;
    return (lane)_mm_clmulepi64_si128(v, b, 0x00) ^ (lane)_mm_clmulepi64_si128(v, b, 0x11);
}

#elif defined __aarch64__

#include <sys/auxv.h>

#define WITH_PRODUCTS

int crc_fold_is_fast(void)
{
    enum { HWCAP_HAS_PMULL = 1 << 4 };
    return (getauxval(AT_HWCAP) & HWCAP_HAS_PMULL) != 0;
}

/* By the assembler: gcc and clang have different names for it. */
static inline lane move(lane value, lane by)
{
    lane first, last;
    __asm__(".arch_extension aes\n\tpmull %0.1q, %2.1d, %3.1d\n\tpmull2 %1.1q, %2.2d, %3.2d"
            : "=&w"(first), "=w"(last)
            : "w"(value), "w"(by));
    return first ^ last;
}

#else

#define WITH_PRODUCTS

int crc_fold_is_fast(void)
{
    return 0;
}

static inline lane move(lane value, lane by)
{
    (void)by;
    return value;
}

#endif

WITH_PRODUCTS void crc_fold(const struct crc_fold *by, uint64_t crc, const unsigned char *data,
                            size_t size, unsigned char out[CRC_FOLDED_BYTES])
{
    const lane far = {by->far[0], by->far[1]}, near = {by->near[0], by->near[1]};
    lane lanes[LANES];
    for (size_t i = 0; i < LANES; i++)
        lanes[i] = load(data + i * sizeof(lane));
    lanes[0][0] ^= crc;
    for (data += CRC_FOLD_BYTES, size -= CRC_FOLD_BYTES; size;
         data += CRC_FOLD_BYTES, size -= CRC_FOLD_BYTES)
        for (size_t i = 0; i < LANES; i++)
            lanes[i] = move(lanes[i], far) ^ load(data + i * sizeof(lane));
    for (size_t i = 1; i < LANES; i++)
        lanes[i] ^= move(lanes[i - 1], near);
    memcpy(out, &lanes[LANES - 1], CRC_FOLDED_BYTES);
}
