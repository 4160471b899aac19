#include "base/crc32c.h"

#include <string.h>

#ifdef __x86_64__

#include <wmmintrin.h>

int crc32c_is_fast(void)
{
    return __builtin_cpu_supports("sse4.2");
}

/* Three sums beside each other: each step of one waits for the one before. */
enum { LANE_BYTES = 512, LANES_BYTES = 3 * LANE_BYTES };

static inline uint64_t word_at(const unsigned char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* A sum as it is behind one or two lanes of zeros: times x^(8 * bytes), of which the instruction
 * makes 32 and the product of reflected numbers one. */
__attribute__((target("sse4.2,pclmul"))) static inline uint64_t move(uint64_t crc, uint32_t by)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc), _mm_cvtsi32_si128((int)by), 0);
    return __builtin_ia32_crc32di(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t sum_lanes(uint64_t crc,
                                                                   const unsigned char *p)
{
    /* x^(8 * LANE_BYTES - 33) and x^(16 * LANE_BYTES - 33) */
    static const uint32_t one = 0xdd7e3b0c, two = 0x170076fa;
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < LANE_BYTES; i += 8) {
        crc = __builtin_ia32_crc32di(crc, word_at(p + i));
        second = __builtin_ia32_crc32di(second, word_at(p + LANE_BYTES + i));
        third = __builtin_ia32_crc32di(third, word_at(p + 2 * LANE_BYTES + i));
    }
    return third ^ move(crc, two) ^ move(second, one);
}

__attribute__((target("sse4.2"))) static uint32_t fast(uint32_t crc, const unsigned char *p,
                                                       size_t size)
{
    uint64_t wide = crc;
    if (size >= LANES_BYTES && __builtin_cpu_supports("pclmul"))
        for (; size >= LANES_BYTES; p += LANES_BYTES, size -= LANES_BYTES)
            wide = sum_lanes(wide, p);
    for (; size >= 8; p += 8, size -= 8)
        wide = __builtin_ia32_crc32di(wide, word_at(p));
    for (; size; p++, size--)
        wide = __builtin_ia32_crc32qi((uint32_t)wide, *p);
    return (uint32_t)wide;
}

#elif defined __aarch64__

#include <sys/auxv.h>

int crc32c_is_fast(void)
{
    enum { HWCAP_HAS_CRC32 = 1 << 7 };
    return (getauxval(AT_HWCAP) & HWCAP_HAS_CRC32) != 0;
}

/* By the assembler: gcc and clang have different names for it. */
static uint32_t fast(uint32_t crc, const unsigned char *p, size_t size)
{
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    }
    for (; size; p++, size--)
        __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(*p));
    return crc;
}

#else

int crc32c_is_fast(void)
{
    return 0;
}

static uint32_t fast(uint32_t crc, const unsigned char *p, size_t size)
{
    (void)p, (void)size;
    return crc;
}

#endif

/* Half a byte a step: the sums of 0 to 15, by the reflected polynomial 0x82f63b78. */
static uint32_t slow(uint32_t crc, const unsigned char *p, size_t size)
{
    static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                       0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                       0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                       0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (; size; p++, size--) {
        crc ^= *p;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return ~(crc32c_is_fast() ? fast(~crc, data, size) : slow(~crc, data, size));
}
