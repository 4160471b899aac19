#include "face/gallery_data.h"

#include <stdlib.h>
#include <string.h>

/* The mean direction M is the weighted sum of a person's rows, brought to bytes: so the first row
 * is what the sum has more than the other rows, but for M's rounding. The file keeps M, the other
 * rows, and of the first one only the difference to that guess, a few bits a value. All of it is
 * whole numbers, and one division that IEEE 754 defines to the bit: every machine guesses alike. */

enum {
    LARGEST_BYTES = 8,
    WIDTH_BYTES = 1,
    WEIGHT_BYTES = 2,
    MOST_WIDTH = 9, /* bits: a row and a guess at it differ by 255 at most */
    MEAN_LARGEST = 127,
};
static const int64_t most_largest = (int64_t)1 << 44; /* GALLERY_MAX_TEMPLATES * 127 * 2^15 */

size_t rest_most_bytes(uint32_t count)
{
    return LARGEST_BYTES + WIDTH_BYTES + (size_t)count * (WEIGHT_BYTES + ROW_VALUES) +
           MOST_WIDTH * ROW_VALUES / 8;
}

/* The least that a person with so many templates takes. */
static size_t rest_least_bytes(uint32_t count)
{
    return LARGEST_BYTES + WIDTH_BYTES + (size_t)count * WEIGHT_BYTES +
           (size_t)(count - 1) * ROW_VALUES;
}

/* What the sum of a person's rows is, by their mean: `largest` is the size of its largest value. */
struct guess {
    const int8_t *mean;
    int64_t largest;
    int16_t weight; /* of the first row, above 0 */
};

/* The first row's values, from the sum of the others. All is whole numbers below 2^53 but the
 * quotient, which adding 1.5 * 2^52 rounds to the nearest, ties to even, into the low bits. */
static void guess_first(int16_t out[ROW_VALUES], const struct guess *guess,
                        const int64_t others[ROW_VALUES])
{
    const double largest = (double)guess->largest, shift = 6755399441055744.0,
                 divisor = MEAN_LARGEST * guess->weight;
    for (size_t i = 0; i < ROW_VALUES; i++) {
        double value = (guess->mean[i] * largest - MEAN_LARGEST * (double)others[i]) / divisor;
        value = value < -MEAN_LARGEST ? -MEAN_LARGEST : value;
        value = value > MEAN_LARGEST ? MEAN_LARGEST : value;
        union {
            double value;
            int64_t bits;
        } shifted = {.value = value + shift};
        out[i] = (int16_t)(shifted.bits & 0xffff);
    }
}

static int64_t largest_of(const int64_t sum[ROW_VALUES])
{
    int64_t largest = 0;
    for (size_t i = 0; i < ROW_VALUES; i++)
        largest = llabs(sum[i]) > largest ? llabs(sum[i]) : largest;
    return largest;
}

/* The bits that the values need, from -2^(width - 1) on; 0 where all are 0. */
static int width_of(const int16_t values[ROW_VALUES])
{
    int width = 0;
    for (size_t i = 0; i < ROW_VALUES; i++)
        while (values[i] != 0 &&
               (width == 0 || values[i] < -(1 << (width - 1)) || values[i] >= 1 << (width - 1)))
            width++;
    return width;
}

static void put_bits(uint8_t *at, const int16_t values[ROW_VALUES], int width)
{
    uint32_t kept = 0;
    int bits = 0;
    for (size_t i = 0; width > 0 && i < ROW_VALUES; i++) {
        kept |= (uint32_t)(values[i] + (1 << (width - 1))) << bits;
        for (bits += width; bits >= 8; bits -= 8, kept >>= 8)
            *at++ = (uint8_t)kept;
    }
}

static void take_bits(int16_t values[ROW_VALUES], const uint8_t *at, unsigned width)
{
    uint8_t packed[MOST_WIDTH * ROW_VALUES / 8 + 1] = {0}; /* one byte more is read */
    const unsigned mask = (1u << width) - 1;
    const int least = width ? -(1 << (width - 1)) : 0;
    memcpy(packed, at, (size_t)width * ROW_VALUES / 8);
    for (unsigned i = 0; i < ROW_VALUES; i++) {
        unsigned bit = i * width, two = packed[bit / 8] | (unsigned)packed[bit / 8 + 1] << 8;
        values[i] = (int16_t)((int)(two >> bit % 8 & mask) + least);
    }
}

static void add_row(int64_t sum[ROW_VALUES], const int8_t *row, int16_t weight)
{
    for (size_t i = 0; i < ROW_VALUES; i++)
        sum[i] += row[i] * weight;
}

/* Sums the rows behind the first with their weights, which lie at `weights` unaligned. */
static void sum_others(int64_t sum[ROW_VALUES], const int8_t *others, const uint8_t *weights,
                       uint32_t count)
{
    memset(sum, 0, ROW_VALUES * sizeof *sum);
    for (uint32_t i = 1; i < count; i += ROWS_AT_ONCE) {
        int16_t some[ROWS_AT_ONCE];
        size_t left = count - i < ROWS_AT_ONCE ? count - i : ROWS_AT_ONCE;
        memcpy(some, weights + (size_t)i * WEIGHT_BYTES, left * WEIGHT_BYTES);
        rows_sum(sum, others + (size_t)(i - 1) * ROW_VALUES, some, left);
    }
}

size_t rest_put(uint8_t *at, const int8_t *rows, uint32_t count, const int8_t *mean)
{
    uint8_t *start = at, *weights = at + LARGEST_BYTES + WIDTH_BYTES;
    int64_t others[ROW_VALUES], all[ROW_VALUES];
    int16_t guessed[ROW_VALUES], first = row_weight(rows);
    for (uint32_t i = 0; i < count; i++) {
        int16_t weight = row_weight(rows + (size_t)i * ROW_VALUES);
        memcpy(weights + (size_t)i * WEIGHT_BYTES, &weight, WEIGHT_BYTES);
    }
    sum_others(others, rows + ROW_VALUES, weights, count);
    memcpy(all, others, sizeof all);
    add_row(all, rows, first);
    struct guess guess = {mean, largest_of(all), first};
    guess_first(guessed, &guess, others);
    for (size_t i = 0; i < ROW_VALUES; i++)
        guessed[i] = (int16_t)(rows[i] - guessed[i]);
    uint8_t width = (uint8_t)width_of(guessed);
    memcpy(at, &guess.largest, LARGEST_BYTES);
    at[LARGEST_BYTES] = width;
    at = weights + (size_t)count * WEIGHT_BYTES;
    memcpy(at, rows + ROW_VALUES, (size_t)(count - 1) * ROW_VALUES);
    at += (size_t)(count - 1) * ROW_VALUES;
    put_bits(at, guessed, width);
    return (size_t)(at - start) + (size_t)width * ROW_VALUES / 8;
}

size_t rest_take(int8_t *rows, uint32_t count, const int8_t *mean, const uint8_t *at, size_t left)
{
    if (left < rest_least_bytes(count))
        return 0;
    struct guess guess = {.mean = mean};
    unsigned width = at[LARGEST_BYTES];
    size_t size = rest_least_bytes(count) + (size_t)width * ROW_VALUES / 8;
    const uint8_t *weights = at + LARGEST_BYTES + WIDTH_BYTES;
    memcpy(&guess.largest, at, LARGEST_BYTES);
    memcpy(&guess.weight, weights, WEIGHT_BYTES);
    if (width > MOST_WIDTH || left < size || guess.largest < 0 || guess.largest > most_largest ||
        guess.weight <= 0)
        return 0;
    int64_t others[ROW_VALUES];
    int16_t guessed[ROW_VALUES], more[ROW_VALUES];
    at = weights + (size_t)count * WEIGHT_BYTES;
    memcpy(rows + ROW_VALUES, at, (size_t)(count - 1) * ROW_VALUES);
    sum_others(others, rows + ROW_VALUES, weights, count);
    guess_first(guessed, &guess, others);
    take_bits(more, at + (size_t)(count - 1) * ROW_VALUES, width);
    int whole = 1;
    for (size_t i = 0; i < ROW_VALUES; i++) {
        int value = guessed[i] + more[i];
        whole &= value >= INT8_MIN && value <= INT8_MAX;
        rows[i] = (int8_t)value;
    }
    return whole ? size : 0;
}
