#include "image/image.h"

#include <math.h>
#include <string.h>

/* An output pixel is the average of its footprint: the box of input pixels that it covers, at least
 * one pixel wide, so that the same arithmetic is area averaging down and bilinear up. Rows are
 * summed first, over a chunk of columns, in 16 bits (8 of them weight); then columns. */
enum {
    ROW_WEIGHT = 256,
    COLUMN_WEIGHT = 16384,
    SUM_SHIFT = 22,  /* of ROW_WEIGHT * COLUMN_WEIGHT */
    MAX_TAPS = 1024, /* of one footprint; beyond this reduction its middle counts */
    CHUNK_OUT = 256, /* output columns */
    CHUNK_IN = 2048, /* input columns, at least MAX_TAPS */
    CHUNK_TAPS = CHUNK_IN + 2 * CHUNK_OUT,
};

struct footprint {
    int first, count;
    uint16_t *weights;
};

struct axis {
    double start, scale; /* input position of output edge 0; input pixels an output pixel */
    int size;            /* of the input */
};

/* Also for values no integer can hold; not-a-number becomes `low`. */
static int clamp(double value, int low, int high)
{
    if (!(value > low))
        return low;
    return value < high ? (int)value : high;
}

/* Weights that add up to `total` exactly: differences of the rounded running sum. What lies outside
 * the picture counts for the border pixel. */
static void find_footprint(struct footprint *out, const struct axis *axis, int index, int total)
{
    double width = axis->scale > 1 ? axis->scale : 1;
    double centre = axis->start + (index + 0.5) * axis->scale;
    double low = centre - width / 2;
    int first = clamp(floor(low), 0, axis->size - 1);
    int last = clamp(ceil(low + width) - 1, first, axis->size - 1);
    if (last - first >= MAX_TAPS) {
        first = (first + last - MAX_TAPS) / 2;
        last = first + MAX_TAPS - 1;
    }
    int given = 0;
    for (int i = first; i < last; i++) {
        double part = (i + 1 - low) / width;
        int until = clamp(part * total + 0.5, given, total);
        out->weights[i - first] = (uint16_t)(until - given);
        given = until;
    }
    out->weights[last - first] = (uint16_t)(total - given);
    out->first = first;
    out->count = last - first + 1;
}

static void set_row(uint16_t *restrict sum, const uint8_t *restrict row, size_t bytes,
                    uint16_t weight)
{
    for (size_t i = 0; i < bytes; i++)
        sum[i] = (uint16_t)(row[i] * weight);
}

static void set_two_rows(uint16_t *restrict sum, const uint8_t *restrict row,
                         const uint8_t *restrict next, size_t bytes, const uint16_t weights[2])
{
    uint16_t first = weights[0], second = weights[1];
    for (size_t i = 0; i < bytes; i++)
        sum[i] = (uint16_t)(row[i] * first + next[i] * second);
}

static void add_row(uint16_t *restrict sum, const uint8_t *restrict row, size_t bytes,
                    uint16_t weight)
{
    for (size_t i = 0; i < bytes; i++)
        sum[i] = (uint16_t)(sum[i] + row[i] * weight);
}

/* Two and three taps are what halving and small reductions have: worth their own lines. */
static void mix_two(uint8_t *out, const uint16_t *sums, const uint16_t *weights)
{
    uint32_t half = 1u << (SUM_SHIFT - 1), first = weights[0], second = weights[1];
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)((sums[c] * first + sums[c + 3] * second + half) >> SUM_SHIFT);
}

static void mix_three(uint8_t *out, const uint16_t *sums, const uint16_t *weights)
{
    uint32_t half = 1u << (SUM_SHIFT - 1), first = weights[0], second = weights[1];
    uint32_t third = weights[2];
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)((sums[c] * first + sums[c + 3] * second + sums[c + 6] * third + half) >>
                           SUM_SHIFT);
}

static void mix_many(uint8_t *out, const uint16_t *sums, const uint16_t *weights, int count)
{
    uint32_t red = 1u << (SUM_SHIFT - 1), green = red, blue = red;
    for (int i = 0; i < count; i++, sums += 3) {
        red += sums[0] * (uint32_t)weights[i];
        green += sums[1] * (uint32_t)weights[i];
        blue += sums[2] * (uint32_t)weights[i];
    }
    out[0] = (uint8_t)(red >> SUM_SHIFT);
    out[1] = (uint8_t)(green >> SUM_SHIFT);
    out[2] = (uint8_t)(blue >> SUM_SHIFT);
}

static void mix_column(uint8_t *out, const uint16_t *sums, const struct footprint *column)
{
    if (column->count == 2)
        mix_two(out, sums, column->weights);
    else if (column->count == 3)
        mix_three(out, sums, column->weights);
    else
        mix_many(out, sums, column->weights, column->count);
}

/* Some columns of the output and the input columns that they cover. */
struct chunk {
    int out_first, out_count, in_first, in_count;
    struct footprint columns[CHUNK_OUT];
    uint16_t weights[CHUNK_TAPS];
};

static void plan_chunk(struct chunk *chunk, const struct axis *axis, int first, int width)
{
    uint16_t *weights = chunk->weights;
    *chunk = (struct chunk){.out_first = first};
    int last = 0;
    while (chunk->out_count < CHUNK_OUT && first + chunk->out_count < width) {
        struct footprint *column = &chunk->columns[chunk->out_count];
        if (weights - chunk->weights > CHUNK_TAPS - MAX_TAPS)
            break;
        column->weights = weights;
        find_footprint(column, axis, first + chunk->out_count, COLUMN_WEIGHT);
        if (chunk->out_count == 0)
            chunk->in_first = column->first;
        if (column->first + column->count - chunk->in_first > CHUNK_IN)
            break;
        last = column->first + column->count;
        weights += column->count;
        chunk->out_count++;
    }
    chunk->in_count = last - chunk->in_first;
}

static void sum_rows(uint16_t *sums, const uint8_t *from, size_t bytes, size_t stride,
                     const struct footprint *rows)
{
    if (rows->count == 1)
        set_row(sums, from, bytes, rows->weights[0]);
    else
        set_two_rows(sums, from, from + stride, bytes, rows->weights);
    for (int i = 2; i < rows->count; i++)
        if (rows->weights[i])
            add_row(sums, from + (size_t)i * stride, bytes, rows->weights[i]);
}

static void resize_chunk(struct image *out, const struct image *in, const struct chunk *chunk,
                         const struct axis *rows)
{
    uint16_t weights[MAX_TAPS], sums[3 * CHUNK_IN];
    struct footprint row = {.weights = weights};
    size_t bytes = 3 * (size_t)chunk->in_count;
    for (int y = 0; y < out->height; y++) {
        find_footprint(&row, rows, y, ROW_WEIGHT);
        const uint8_t *from =
            in->pixels + (size_t)row.first * in->stride + 3 * (size_t)chunk->in_first;
        sum_rows(sums, from, bytes, in->stride, &row);
        uint8_t *to = out->pixels + (size_t)y * out->stride + 3 * (size_t)chunk->out_first;
        for (int x = 0; x < chunk->out_count; x++, to += 3) {
            const struct footprint *column = &chunk->columns[x];
            mix_column(to, sums + 3 * (column->first - chunk->in_first), column);
        }
    }
}

void image_resize_part(struct image *out, const struct image *in, const double box[4])
{
    struct axis columns = {box[0], box[2] / out->width, in->width};
    struct axis rows = {box[1], box[3] / out->height, in->height};
    struct chunk chunk;
    for (int x = 0; x < out->width; x += chunk.out_count) {
        plan_chunk(&chunk, &columns, x, out->width);
        resize_chunk(out, in, &chunk, &rows);
    }
}

void image_resize(struct image *out, const struct image *in)
{
    double whole[4] = {0, 0, in->width, in->height};
    image_resize_part(out, in, whole);
}
