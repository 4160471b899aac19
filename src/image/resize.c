#include "image/image.h"
#include "simd/kernels.h"

#include <math.h>
#include <string.h>

/* An output pixel is the average of its taps, its footprint in the input: the box of input pixels
 * that it covers, at least one pixel wide, so that the same arithmetic is area averaging down and
 * bilinear up. Rows are summed first, over a chunk of columns, in 16 bits (8 of them weight); then
 * columns. */
enum {
    ROW_WEIGHT = 256,
    COLUMN_WEIGHT = 16384, /* mix_u16_u8's; it divides by ROW_WEIGHT times this */
    BEHIND = 5,            /* sums that mix_u16_u8 reads behind the last */
    MAX_TAPS = 1024,       /* of one footprint; beyond this reduction its middle counts */
    CHUNK_OUT = 256,       /* output columns */
    CHUNK_IN = 2048,       /* input columns, at least MAX_TAPS */
    CHUNK_TAPS = CHUNK_IN + 2 * CHUNK_OUT,
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
static void find_taps(struct taps *out, const struct axis *axis, int index, int total)
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

/* Some columns of the output and the input columns that they cover. */
struct chunk {
    int out_first, out_count, in_first, in_count;
    struct taps columns[CHUNK_OUT];
    uint16_t weights[CHUNK_TAPS];
};

static void plan_chunk(struct chunk *chunk, const struct axis *axis, int first, int width)
{
    uint16_t *weights = chunk->weights;
    *chunk = (struct chunk){.out_first = first};
    int last = 0;
    while (chunk->out_count < CHUNK_OUT && first + chunk->out_count < width) {
        struct taps *column = &chunk->columns[chunk->out_count];
        if (weights - chunk->weights > CHUNK_TAPS - MAX_TAPS)
            break;
        column->weights = weights;
        find_taps(column, axis, first + chunk->out_count, COLUMN_WEIGHT);
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

static void sum_rows(uint16_t *sums, const uint8_t *from, size_t bytes, size_t stride,
                     const struct taps *rows)
{
    if (rows->count == 1)
        set_row(sums, from, bytes, rows->weights[0]);
    else
        set_two_rows(sums, from, from + stride, bytes, rows->weights);
    for (int i = 2; i < rows->count; i++)
        if (rows->weights[i])
            add_row(sums, from + (size_t)i * stride, bytes, rows->weights[i]);
}

/* Ask for `count` rows before they are needed: rows lie far apart, where the processor does not
 * look ahead by itself. */
static void prefetch_rows(const struct image *in, int first, int count, size_t offset, size_t bytes)
{
    enum { CACHE_LINE = 64 };
    for (int y = first; y < first + count && y < in->height; y++)
        for (size_t i = 0; i < bytes; i += CACHE_LINE)
            __builtin_prefetch(in->pixels + (size_t)y * in->stride + offset + i);
}

static void resize_chunk(struct image *out, const struct image *in, const struct chunk *chunk,
                         const struct axis *rows)
{
    const struct kernels *kernels = simd_kernels(simd_best());
    uint16_t weights[MAX_TAPS], sums[3 * CHUNK_IN + BEHIND];
    struct taps row = {.weights = weights};
    size_t bytes = 3 * (size_t)chunk->in_count, left = 3 * (size_t)chunk->in_first;
    memset(sums + bytes, 0, BEHIND * sizeof *sums);
    for (int y = 0; y < out->height; y++) {
        find_taps(&row, rows, y, ROW_WEIGHT);
        const uint8_t *from = in->pixels + (size_t)row.first * in->stride + left;
        prefetch_rows(in, row.first + row.count, row.count, left, bytes);
        uint8_t *to = out->pixels + (size_t)y * out->stride + 3 * (size_t)chunk->out_first;
        sum_rows(sums, from, bytes, in->stride, &row);
        kernels->mix_u16_u8(to, sums, chunk->columns, (size_t)chunk->out_count);
    }
}

/* Whether `box` is whole pixels of the picture, twice as many each way as there are in `out`. */
static int is_half(const struct image *out, const struct image *in, const double box[4])
{
    return box[2] == 2.0 * out->width && box[3] == 2.0 * out->height && box[0] == floor(box[0]) &&
           box[1] == floor(box[1]) && box[0] >= 0 && box[1] >= 0 && box[0] + box[2] <= in->width &&
           box[1] + box[3] <= in->height;
}

/* The same result as below, a camera's frame to the detector's input. */
static void halve(struct image *out, const struct image *in, const double box[4])
{
    const struct kernels *kernels = simd_kernels(simd_best());
    const uint8_t *row = in->pixels + (size_t)box[1] * in->stride + 3 * (size_t)box[0];
    for (int y = 0; y < out->height; y++, row += 2 * in->stride)
        kernels->halve_u8(out->pixels + (size_t)y * out->stride, row, row + in->stride,
                          (size_t)out->width);
}

void image_resize_part(struct image *out, const struct image *in, const double box[4])
{
    if (is_half(out, in, box)) {
        halve(out, in, box);
        return;
    }
    struct axis columns = {box[0], box[2] / out->width, in->width};
    struct axis rows = {box[1], box[3] / out->height, in->height};
    struct chunk chunk;
    for (int x = 0; x < out->width; x += chunk.out_count) {
        plan_chunk(&chunk, &columns, x, out->width);
        for (int i = 0; i < chunk.out_count; i++)
            chunk.columns[i].first -= chunk.in_first;
        resize_chunk(out, in, &chunk, &rows);
    }
}

void image_resize(struct image *out, const struct image *in)
{
    double whole[4] = {0, 0, in->width, in->height};
    image_resize_part(out, in, whole);
}
