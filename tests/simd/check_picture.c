/* The kernels over pictures: exact at every level. */
#include "check.h"
#include "guard.h"

#include <string.h>

enum { MOST_PIXELS = 700, MOST_TAPS = 9, SMALL = 70, BEHIND = 5, ALIKE_TAPS = 3 };

static const char *name_of(int level)
{
    return simd_level_name((enum simd_level)level);
}

static size_t next_size(size_t n)
{
    return n < SMALL ? n + 1 : n == SMALL ? MOST_PIXELS : 0;
}

/* A buffer of `bytes` random bytes beside an unreadable page. */
static void *place_random(struct check *check, struct guard *guard, size_t bytes, int side)
{
    uint8_t *buffer = guard_place(guard, bytes, (enum guard_side)side);
    for (size_t i = 0; i < bytes; i++)
        buffer[i] = (uint8_t)check_random_int(check, 0, 255);
    return buffer;
}

/* Runs `one` for every level, size and side of the unreadable page. */
typedef int check_pixels(struct check *check, struct guard guards[2], const struct kernels *k,
                         size_t n, int side);

static void check_all(struct check *check, const char *kernel, check_pixels *one)
{
    struct guard guards[2];
    guard_init(&guards[0], sizeof(uint16_t) * 3 * MOST_PIXELS);
    guard_init(&guards[1], (size_t)4 * 3 * (MOST_PIXELS + 3));
    for (int level = -1; (level = check_next_level(level)) >= 0;)
        for (size_t n = 1; n > 0; n = next_size(n))
            for (int side = GUARD_BEFORE; side <= GUARD_AFTER; side++) {
                int good = one(check, guards, simd_kernels((enum simd_level)level), n, side);
                check_count(check, good && guard_intact(&guards[0]) && guard_intact(&guards[1]),
                            "%s %s: %zu pixels", kernel, name_of(level), n);
            }
    guard_finish(&guards[0]);
    guard_finish(&guards[1]);
}

static int halve_pixels(struct check *check, struct guard guards[2], const struct kernels *k,
                        size_t n, int side)
{
    const uint8_t *row = place_random(check, &guards[1], 12 * n, side), *below = row + 6 * n;
    uint8_t *out = guard_place(&guards[0], 3 * n, (enum guard_side)side);
    k->halve_u8(out, row, below, n);
    for (size_t i = 0; i < 3 * n; i++) {
        size_t at = i / 3 * 6 + i % 3;
        if (out[i] != (row[at] + row[at + 3] + below[at] + below[at + 3] + 2) / 4)
            return 0;
    }
    return 1;
}

void check_halve_u8(struct check *check)
{
    check_all(check, "halve_u8", halve_pixels);
}

/* `count` is set. Weights of a pixel that add up to 2^14, as the resizer's do. */
static void make_taps(struct check *check, struct taps *taps, uint16_t *weights, int pixels)
{
    int left = 1 << 14;
    taps->first = check_random_int(check, 0, pixels - taps->count);
    taps->weights = weights;
    for (int t = 0; t < taps->count; t++) {
        int weight = t + 1 < taps->count ? check_random_int(check, 0, left) : left;
        weights[t] = (uint16_t)weight;
        left -= weight;
    }
}

static int mix_pixels(struct check *check, struct guard guards[2], const struct kernels *k,
                      size_t n, int side)
{
    static uint16_t weights[MOST_PIXELS][MOST_TAPS];
    static struct taps taps[MOST_PIXELS];
    uint16_t *sums = place_random(check, &guards[1], (3 * n + BEHIND) * sizeof *sums, side);
    for (size_t i = 0; i < 3 * n; i++)
        sums[i] = (uint16_t)check_random_int(check, n % 3 ? 0 : 65000, 65280);
    int most = n < MOST_TAPS ? (int)n : MOST_TAPS;
    int all = check_random_int(check, 0, 1); /* as many taps, so that vectors hold pixels alike */
    int same = check_random_int(check, 1, most < ALIKE_TAPS ? most : ALIKE_TAPS);
    for (size_t i = 0; i < n; i++) {
        taps[i].count = all ? same : check_random_int(check, 1, most);
        make_taps(check, &taps[i], weights[i], (int)n);
    }
    uint8_t *out = guard_place(&guards[0], 3 * n, (enum guard_side)side);
    k->mix_u16_u8(out, sums, taps, n);
    for (size_t i = 0; i < 3 * n; i++) {
        uint64_t want = 1 << 21;
        for (int t = 0; t < taps[i / 3].count; t++)
            want += (uint64_t)sums[3 * (size_t)(taps[i / 3].first + t) + i % 3] *
                    taps[i / 3].weights[t];
        if (out[i] != want >> 22)
            return 0;
    }
    return 1;
}

void check_mix_u16_u8(struct check *check)
{
    check_all(check, "mix_u16_u8", mix_pixels);
}

static int sample_pixels(struct check *check, struct guard guards[2], const struct kernels *k,
                         size_t n, int side)
{
    enum { ROWS = 4, LEAST = 3 };
    static struct spot spots[MOST_PIXELS];
    size_t width = n + LEAST, stride = 3 * width;
    const uint8_t *pixels = place_random(check, &guards[1], ROWS * stride, side);
    for (size_t i = 0; i < n; i++) {
        int x = check_random_int(check, 0, (int)width - LEAST), y = check_random_int(check, 0, 2);
        spots[i] = (struct spot){(uint32_t)((size_t)y * stride + 3 * (size_t)x),
                                 (uint16_t)check_random_int(check, 0, 2047),
                                 (uint16_t)check_random_int(check, 0, 2047)};
    }
    uint8_t *out = guard_place(&guards[0], 3 * n, (enum guard_side)side);
    k->sample_u8(out, pixels, stride, spots, n);
    for (size_t i = 0; i < 3 * n; i++) {
        const struct spot *spot = &spots[i / 3];
        const uint8_t *at = pixels + spot->at + i % 3, *below = at + stride;
        double right = spot->right / 2048.0, down = spot->down / 2048.0; /* exact in double */
        double top = at[0] * (1 - right) + at[3] * right;
        double bottom = below[0] * (1 - right) + below[3] * right;
        if (out[i] != (uint8_t)(top * (1 - down) + bottom * down + 0.5))
            return 0;
    }
    return 1;
}

void check_sample_u8(struct check *check)
{
    check_all(check, "sample_u8", sample_pixels);
}
