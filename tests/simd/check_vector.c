/* The kernels over plain arrays. */
#include "check.h"
#include "guard.h"

#include <math.h>
#include <string.h>

enum { MOST = 4099, SMALL = 130 };

/* All sizes up to SMALL, then some larger ones. */
static size_t next_size(size_t n)
{
    return n < SMALL ? n + 1 : n == SMALL ? 512 : n == 512 ? 1000 : n == 1000 ? MOST : 0;
}

struct arrays {
    struct guard guards[3];
    float *out, *a, *b;
};

static void arrays_init(struct arrays *s)
{
    for (int i = 0; i < 3; i++)
        guard_init(&s->guards[i], MOST * sizeof(float));
}

static void arrays_finish(struct arrays *s)
{
    for (int i = 0; i < 3; i++)
        guard_finish(&s->guards[i]);
}

static void arrays_fill(struct arrays *s, struct check *check, size_t n, enum guard_side side)
{
    s->out = guard_place(&s->guards[0], n * sizeof(float), side);
    s->a = guard_place(&s->guards[1], n * sizeof(float), side);
    s->b = guard_place(&s->guards[2], n * sizeof(float), side);
    for (size_t i = 0; i < n; i++) {
        s->a[i] = check_random(check);
        s->b[i] = check_random(check);
    }
}

static int arrays_intact(const struct arrays *s)
{
    return guard_intact(&s->guards[0]) && guard_intact(&s->guards[1]) &&
           guard_intact(&s->guards[2]);
}

/* One size at one level; returns whether it is right. */
typedef int check_size(struct check *check, struct arrays *s, const struct kernels *k, size_t n);

static void check_sizes(struct check *check, const char *kernel, check_size *one)
{
    struct arrays s;
    arrays_init(&s);
    for (int level = -1; (level = check_next_level(level)) >= 0;)
        for (size_t n = 1; n > 0; n = next_size(n))
            for (int side = GUARD_BEFORE; side <= GUARD_AFTER; side++) {
                arrays_fill(&s, check, n, (enum guard_side)side);
                int good = one(check, &s, simd_kernels((enum simd_level)level), n);
                check_count(check, good && arrays_intact(&s), "%s %s: %zu values", kernel,
                            simd_level_name((enum simd_level)level), n);
            }
    arrays_finish(&s);
}

static int dot_size(struct check *check, struct arrays *s, const struct kernels *k, size_t n)
{
    (void)check;
    double want = 0, magnitude = 0;
    for (size_t i = 0; i < n; i++) {
        want += (double)s->a[i] * (double)s->b[i];
        magnitude += fabs((double)s->a[i] * (double)s->b[i]);
    }
    double got = (double)k->dot_f32(s->a, s->b, n);
    double reference = (double)simd_kernels(SIMD_C)->dot_f32(s->a, s->b, n);
    return check_close(got, want, magnitude, n) && check_close(got, reference, magnitude, n);
}

void check_dot_f32(struct check *check)
{
    check_sizes(check, "dot_f32", dot_size);
}

/* In place for odd sizes. The C level is right; the others are the same to the bit. */
static int exp_size(struct check *check, struct arrays *s, const struct kernels *k, size_t n)
{
    (void)check;
    for (size_t i = 0; i < n; i++)
        s->a[i] *= s->b[i] > 0 ? 95.0f : 1.0f;
    simd_kernels(SIMD_C)->exp_f32(s->b, s->a, n);
    for (size_t i = 0; i < n; i++) {
        double x = (double)s->a[i], want = x < -87.33654 ? 0 : x > 88.72283 ? HUGE_VAL : exp(x);
        double got = (double)s->b[i];
        if (!(got == want || fabs(got - want) <= 3e-7 * want))
            return 0;
    }
    float *out = n % 2 ? s->a : s->out;
    k->exp_f32(out, s->a, n);
    return memcmp(out, s->b, n * sizeof *out) == 0;
}

void check_exp_f32(struct check *check)
{
    check_sizes(check, "exp_f32", exp_size);
}

/* As many rows as fit, of any bytes (-128 among them), against the plain sum: exact. */
static int dots_size(struct check *check, struct arrays *s, const struct kernels *k, size_t n)
{
    enum { ROWS = 3 };
    enum guard_side side = s->guards[1].buffer == s->guards[1].pages ? GUARD_BEFORE : GUARD_AFTER;
    int8_t *query = guard_place(&s->guards[1], n, side);
    int8_t *rows = guard_place(&s->guards[2], ROWS * n, side);
    int32_t *out = guard_place(&s->guards[0], ROWS * sizeof *out, side);
    for (size_t i = 0; i < n; i++)
        query[i] = (int8_t)check_random_int(check, -128, n % 3 ? 127 : -120);
    for (size_t i = 0; i < ROWS * n; i++)
        rows[i] = (int8_t)check_random_int(check, -128, n % 3 ? 127 : -120);
    k->dots_i8(out, query, rows, n, ROWS);
    for (size_t r = 0; r < ROWS; r++) {
        int64_t want = 0;
        for (size_t i = 0; i < n; i++)
            want += (int64_t)query[i] * rows[r * n + i];
        if (out[r] != want)
            return 0;
    }
    return 1;
}

void check_dots_i8(struct check *check)
{
    check_sizes(check, "dots_i8", dots_size);
}

static int normalize_size(struct check *check, struct arrays *s, const struct kernels *k, size_t n)
{
    enum guard_side side = s->guards[1].buffer == s->guards[1].pages ? GUARD_BEFORE : GUARD_AFTER;
    uint8_t *bytes = guard_place(&s->guards[1], n, side);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)check_random_int(check, 0, 255);
    const float offset = 127.5f, factor = 1 / 128.0f;
    k->normalize_u8_f32(s->out, bytes, n, offset, factor);
    for (size_t i = 0; i < n; i++)
        if (s->out[i] != ((float)bytes[i] - offset) * factor)
            return 0;
    return 1;
}

void check_normalize_u8_f32(struct check *check)
{
    check_sizes(check, "normalize_u8_f32", normalize_size);
}

static int mix_size(struct check *check, struct arrays *s, const struct kernels *k, size_t n)
{
    uint64_t lanes[8], want[8], word;
    size_t blocks = n / 16;
    const uint8_t *data = (const uint8_t *)s->a;
    for (size_t i = 0; i < 8; i++)
        lanes[i] = want[i] = check_random_int(check, 0, 1000) * UINT64_C(0x123456789abcdef1);
    for (size_t i = 0; i < 8 * blocks; i++) {
        memcpy(&word, data + 8 * i, sizeof word);
        want[i % 8] = (want[i % 8] ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        want[i % 8] ^= want[i % 8] >> 29;
    }
    k->mix_u64(lanes, data, blocks);
    return memcmp(lanes, want, sizeof want) == 0;
}

void check_mix_u64(struct check *check)
{
    check_sizes(check, "mix_u64", mix_size);
}
