#include "cloud/s3/md5_lanes.h"

#include <endian.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

static int digest_each(const struct md5_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (EVP_Digest(texts[i].data, texts[i].size, texts[i].md5, NULL, EVP_md5(), NULL) != 1)
            return -1;
    return 0;
}

#ifdef __x86_64__

enum { BLOCK_BYTES = 64, BLOCK_WORDS = 16, STEPS = 64, LENGTH_BYTES = 8 };

typedef uint32_t lanes __attribute__((vector_size(4 * MD5_LANES)));

/* 2^32 times |sin(i + 1)| (RFC 1321, 3.4). */
static const uint32_t sines[STEPS] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

struct state {
    lanes a, b, c, d;
};

/* A text's last bytes, a 1 bit, zeros and its length in bits: one block or two. */
struct tail {
    unsigned char bytes[2 * BLOCK_BYTES];
    size_t whole, blocks; /* before the tail, and in all */
};

static void fill_tail(struct tail *tail, const struct md5_text *text)
{
    size_t rest = text->size % BLOCK_BYTES;
    size_t blocks = rest + 1 + LENGTH_BYTES > BLOCK_BYTES ? 2 : 1;
    uint64_t bits = htole64((uint64_t)text->size * 8);
    *tail = (struct tail){.whole = text->size / BLOCK_BYTES};
    tail->blocks = tail->whole + blocks;
    if (rest)
        memcpy(tail->bytes, (const char *)text->data + text->size - rest, rest);
    tail->bytes[rest] = 0x80;
    memcpy(tail->bytes + blocks * BLOCK_BYTES - LENGTH_BYTES, &bits, LENGTH_BYTES);
}

/* A lane whose text has ended goes over its tail again, for nothing. */
static const unsigned char *block_of(const struct md5_text *text, const struct tail *tail,
                                     size_t block)
{
    if (block < tail->whole)
        return (const unsigned char *)text->data + block * BLOCK_BYTES;
    return tail->bytes + (block < tail->blocks ? block - tail->whole : 0) * BLOCK_BYTES;
}

#define INLINE static inline __attribute__((always_inline))

INLINE void load(const unsigned char *const blocks[MD5_LANES], lanes words[BLOCK_WORDS])
{
    for (size_t w = 0; w < BLOCK_WORDS; w++) {
        uint32_t word[MD5_LANES];
        for (size_t lane = 0; lane < MD5_LANES; lane++)
            memcpy(&word[lane], blocks[lane] + 4 * w, 4);
        words[w] = (lanes){word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7]};
    }
}

/* One step: `mix` is the round's function of b, c and d. */
INLINE void step(lanes *a, const lanes *b, const lanes *mix, uint32_t sine, const lanes *word,
                 int shift)
{
    lanes sum = *a + (*word + sine) + *mix;
    *a = *b + (sum << shift | sum >> (32 - shift));
}

INLINE void mix_0(const lanes *x, const lanes *y, const lanes *z, lanes *out)
{
    *out = *z ^ (*x & (*y ^ *z));
}

INLINE void mix_1(const lanes *x, const lanes *y, const lanes *z, lanes *out)
{
    *out = *y ^ (*z & (*x ^ *y));
}

INLINE void mix_2(const lanes *x, const lanes *y, const lanes *z, lanes *out)
{
    *out = *x ^ *y ^ *z;
}

INLINE void mix_3(const lanes *x, const lanes *y, const lanes *z, lanes *out)
{
    *out = *y ^ (*x | ~*z);
}

typedef void mixer(const lanes *x, const lanes *y, const lanes *z, lanes *out);

struct round {
    mixer *mix;
    size_t stride, first; /* of the words that the steps take */
    int shifts[4];
};

INLINE void run_round(struct state *s, const lanes words[BLOCK_WORDS], const uint32_t *sine,
                      const struct round r)
{
    lanes mixed;
    for (size_t i = 0; i < BLOCK_WORDS; i += 4) {
        r.mix(&s->b, &s->c, &s->d, &mixed);
        step(&s->a, &s->b, &mixed, sine[i], &words[(i * r.stride + r.first) % 16], r.shifts[0]);
        r.mix(&s->a, &s->b, &s->c, &mixed);
        step(&s->d, &s->a, &mixed, sine[i + 1], &words[((i + 1) * r.stride + r.first) % 16],
             r.shifts[1]);
        r.mix(&s->d, &s->a, &s->b, &mixed);
        step(&s->c, &s->d, &mixed, sine[i + 2], &words[((i + 2) * r.stride + r.first) % 16],
             r.shifts[2]);
        r.mix(&s->c, &s->d, &s->a, &mixed);
        step(&s->b, &s->c, &mixed, sine[i + 3], &words[((i + 3) * r.stride + r.first) % 16],
             r.shifts[3]);
    }
}

INLINE void add_block(struct state *state, const lanes words[BLOCK_WORDS])
{
    struct state s = *state;
    run_round(&s, words, sines, (struct round){mix_0, 1, 0, {7, 12, 17, 22}});
    run_round(&s, words, sines + 16, (struct round){mix_1, 5, 1, {5, 9, 14, 20}});
    run_round(&s, words, sines + 32, (struct round){mix_2, 3, 5, {4, 11, 16, 23}});
    run_round(&s, words, sines + 48, (struct round){mix_3, 7, 0, {6, 10, 15, 21}});
    state->a += s.a;
    state->b += s.b;
    state->c += s.c;
    state->d += s.d;
}

INLINE void store(const struct state *s, size_t lane, unsigned char out[MD5_BYTES])
{
    const uint32_t words[] = {s->a[lane], s->b[lane], s->c[lane], s->d[lane]};
    memcpy(out, words, MD5_BYTES);
}

INLINE void digest_all(const struct md5_text *texts, size_t count)
{
    const lanes zero = {0};
    struct state state = {zero + 0x67452301, zero + 0xefcdab89, zero + 0x98badcfe,
                          zero + 0x10325476};
    struct tail tails[MD5_LANES];
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        fill_tail(&tails[i], &texts[i]);
        longest = tails[i].blocks > longest ? tails[i].blocks : longest;
    }
    for (size_t block = 0; block < longest; block++) {
        const unsigned char *blocks[MD5_LANES];
        lanes words[BLOCK_WORDS];
        for (size_t i = 0; i < MD5_LANES; i++)
            blocks[i] = block_of(&texts[i % count], &tails[i % count], block);
        load(blocks, words);
        add_block(&state, words);
        for (size_t i = 0; i < count; i++)
            if (tails[i].blocks == block + 1)
                store(&state, i, texts[i].md5);
    }
}

__attribute__((target("avx512vl"))) static void digest_avx512(const struct md5_text *texts,
                                                              size_t count)
{
    digest_all(texts, count);
}

__attribute__((target("avx2"))) static void digest_avx2(const struct md5_text *texts, size_t count)
{
    digest_all(texts, count);
}

int md5_lanes_is_fast(void)
{
    return __builtin_cpu_supports("avx2");
}

int md5_lanes(const struct md5_text *texts, size_t count)
{
    if (count < 2 || !md5_lanes_is_fast())
        return digest_each(texts, count);
    if (__builtin_cpu_supports("avx512vl"))
        digest_avx512(texts, count);
    else
        digest_avx2(texts, count);
    return 0;
}

#else

int md5_lanes_is_fast(void)
{
    return 0;
}

int md5_lanes(const struct md5_text *texts, size_t count)
{
    return digest_each(texts, count);
}

#endif
