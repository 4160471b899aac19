#include "face/rows.h"
#include "face/seal.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK_BYTES = ROWS_A_CHUNK * ROW_VALUES, LARGEST = 127 };

/* In lanes that do not wait for each other. */
float row_largest(const float vector[ROW_VALUES])
{
    enum { LANES = 16 };
    float most[LANES] = {0};
    for (size_t i = 0; i < ROW_VALUES; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            most[j] = fabsf(vector[i + j]) > most[j] ? fabsf(vector[i + j]) : most[j];
    for (size_t j = 1; j < LANES; j++)
        most[0] = most[j] > most[0] ? most[j] : most[0];
    return most[0];
}

void row_from_floats(int8_t row[ROW_VALUES], const float vector[ROW_VALUES])
{
    float most = row_largest(vector);
    float scale = most > 0 ? LARGEST / most : 0;
    /* Adding 1.5 * 2^23 rounds to the nearest whole number, ties to even, and leaves it in the low
     * bits: as lrintf(), but eight at a time. */
    const float shift = 12582912.0f;
    for (size_t i = 0; i < ROW_VALUES; i++) {
        union {
            float value;
            int32_t bits;
        } shifted = {.value = vector[i] * scale + shift};
        row[i] = (int8_t)(shifted.bits & 0xff);
    }
}

static float factor_by(const struct kernels *kernels, const int8_t row[ROW_VALUES])
{
    int32_t square;
    kernels->dots_i8(&square, row, row, ROW_VALUES, 1);
    return square > 0 ? 1 / sqrtf((float)square) : 0;
}

float row_factor(const int8_t row[ROW_VALUES])
{
    return factor_by(simd_kernels(SIMD_C), row); /* the same at every level */
}

void row_to_floats(float vector[ROW_VALUES], const int8_t row[ROW_VALUES])
{
    float factor = row_factor(row);
    for (size_t i = 0; i < ROW_VALUES; i++)
        vector[i] = row[i] * factor;
}

static void chunk_destroy(struct rows_chunk *chunk, size_t rows)
{
    if (chunk && chunk->values)
        seal_wipe(chunk->values, rows * ROW_VALUES);
    if (chunk)
        free(chunk->values);
    free(chunk);
}

/* With pages of 4 KiB the search waits for their look-up half of its time; but a small gallery need
 * not pay for 2 MiB. */
static struct rows_chunk *chunk_create(int large)
{
    struct rows_chunk *chunk = malloc(sizeof *chunk);
    if (!chunk)
        return NULL;
    chunk->values = aligned_alloc(CHUNK_BYTES, CHUNK_BYTES);
    if (!chunk->values) {
        chunk_destroy(chunk, 0);
        return NULL;
    }
    if (large)
        (void)madvise(chunk->values, CHUNK_BYTES, MADV_HUGEPAGE); /* only faster */
    return chunk;
}

static int add_chunk(struct rows *rows)
{
    if (rows->chunk_count == rows->chunk_capacity) {
        size_t wanted = rows->chunk_capacity ? 2 * rows->chunk_capacity : 4;
        struct rows_chunk **chunks = realloc(rows->chunks, wanted * sizeof(struct rows_chunk *));
        if (!chunks)
            return -1;
        rows->chunks = chunks;
        rows->chunk_capacity = wanted;
    }
    struct rows_chunk *chunk = chunk_create(rows->chunk_count > 0);
    if (!chunk)
        return -1;
    rows->chunks[rows->chunk_count++] = chunk;
    return 0;
}

static int8_t *values_at(const struct rows *rows, size_t row)
{
    return rows->chunks[row / ROWS_A_CHUNK]->values + row % ROWS_A_CHUNK * ROW_VALUES;
}

int rows_add(struct rows *rows, const int8_t row[ROW_VALUES])
{
    if (!rows->kernels)
        rows->kernels = simd_kernels(simd_best());
    if (rows->count == rows->chunk_count * ROWS_A_CHUNK && add_chunk(rows) < 0)
        return -1;
    rows_set(rows, rows->count++, row);
    return 0;
}

const int8_t *rows_at(const struct rows *rows, size_t row)
{
    return values_at(rows, row);
}

void rows_set(struct rows *rows, size_t row, const int8_t values[ROW_VALUES])
{
    memcpy(values_at(rows, row), values, ROW_VALUES);
    rows->chunks[row / ROWS_A_CHUNK]->factors[row % ROWS_A_CHUNK] =
        factor_by(rows->kernels, values);
}

static const float weight_scale = 2097152; /* 2^21: a row has a value of 127, so that its factor is
                                              at most 1 / 127, and 8 such rows fit into 32 bits */

static int16_t weight_of(float factor)
{
    return (int16_t)fminf(factor * weight_scale + 0.5f, INT16_MAX);
}

int16_t row_weight(const int8_t row[ROW_VALUES])
{
    return weight_of(row_factor(row));
}

/* In whole numbers, which any processor takes eight at a time, and a part of the row at a time, so
 * that the sums stay in registers. */
void rows_sum(int64_t sum[ROW_VALUES], const int8_t *rows, const int16_t *weights, size_t count)
{
    enum { BLOCK = 32 };
    for (size_t from = 0; from < ROW_VALUES; from += BLOCK) {
        int32_t part[BLOCK] = {0};
        for (size_t r = 0; r < count; r++) {
            const int8_t *row = rows + r * ROW_VALUES + from;
            int16_t weight = weights[r];
            for (size_t i = 0; i < BLOCK; i++)
                part[i] += (int16_t)row[i] * weight;
        }
        for (size_t i = 0; i < BLOCK; i++)
            sum[from + i] += part[i];
    }
}

void rows_set_mean(struct rows *rows, size_t row, const int8_t *of, size_t count)
{
    int64_t sum[ROW_VALUES] = {0};
    float mean[ROW_VALUES];
    int16_t weights[ROWS_AT_ONCE];
    int8_t rounded[ROW_VALUES];
    for (size_t from = 0; from < count; from += ROWS_AT_ONCE) {
        size_t some = count - from < ROWS_AT_ONCE ? count - from : ROWS_AT_ONCE;
        for (size_t i = 0; i < some; i++)
            weights[i] = weight_of(factor_by(rows->kernels, of + (from + i) * ROW_VALUES));
        rows_sum(sum, of + from * ROW_VALUES, weights, some);
    }
    for (size_t i = 0; i < ROW_VALUES; i++)
        mean[i] = (float)sum[i];
    row_from_floats(rounded, mean);
    rows_set(rows, row, rounded);
    seal_wipe(sum, sizeof sum);
    seal_wipe(mean, sizeof mean);
    seal_wipe(rounded, sizeof rounded);
}

float rows_factor(const struct rows *rows, size_t row)
{
    return rows->chunks[row / ROWS_A_CHUNK]->factors[row % ROWS_A_CHUNK];
}

void rows_remove(struct rows *rows, size_t row)
{
    size_t last = --rows->count;
    for (size_t next; row < last; row = next) {
        struct rows_chunk *chunk = rows->chunks[row / ROWS_A_CHUNK];
        size_t at = row % ROWS_A_CHUNK, end = row - at + ROWS_A_CHUNK - 1;
        next = end < last ? end : last;
        memmove(chunk->values + at * ROW_VALUES, chunk->values + (at + 1) * ROW_VALUES,
                (next - row) * ROW_VALUES);
        memmove(chunk->factors + at, chunk->factors + at + 1, (next - row) * sizeof(float));
        if (next < last) {
            rows_set(rows, next, values_at(rows, next + 1));
            next++;
        }
    }
    seal_wipe(values_at(rows, last), ROW_VALUES);
}

void rows_finish(struct rows *rows)
{
    for (size_t i = 0; i < rows->chunk_count; i++) {
        size_t left = rows->count - i * ROWS_A_CHUNK;
        size_t used = rows->count <= i * ROWS_A_CHUNK ? 0 : left;
        chunk_destroy(rows->chunks[i], used < ROWS_A_CHUNK ? used : ROWS_A_CHUNK);
    }
    free(rows->chunks);
    *rows = (struct rows){0};
}

/* Bytes are compared with bytes, which is fast and finds who may be among the best: what rounding
 * took from the query, a vector of the length `slack`, changes no cosine by more than that. Only
 * these few rows are compared with the query as it was given, which alone decides. */
struct search {
    const struct rows *rows;
    const float *query;
    float scale, slack;   /* query = scale * bytes + what rounding took */
    struct row_hit *hits; /* the best so far, in order */
    size_t limit, count;
    float least; /* product of bytes from which a row may be among them */
    int8_t bytes[ROW_VALUES];
    float vector[ROW_VALUES];
};

static void begin_search(struct search *search)
{
    const float arithmetic = 1e-5f; /* more than sums of floats are off by */
    double square = 0;
    row_from_floats(search->bytes, search->query);
    search->scale = row_largest(search->query) / LARGEST;
    for (size_t i = 0; i < ROW_VALUES; i++) {
        float taken = search->query[i] - search->scale * search->bytes[i];
        square += (double)(taken * taken);
    }
    search->slack = (float)sqrt(square) + arithmetic;
    search->least = -HUGE_VALF;
}

/* Of rows alike the earlier comes first. */
static void insert(struct search *search, size_t row, float similarity)
{
    size_t at = search->count;
    if (at < search->limit)
        search->count++;
    else if (!(similarity > search->hits[--at].similarity))
        return;
    for (; at > 0 && search->hits[at - 1].similarity < similarity; at--)
        search->hits[at] = search->hits[at - 1];
    search->hits[at] = (struct row_hit){row, similarity};
    if (search->count == search->limit && search->scale > 0)
        search->least =
            (search->hits[search->limit - 1].similarity - search->slack) / search->scale;
}

static void look_at(struct search *search, size_t row)
{
    const int8_t *values = rows_at(search->rows, row);
    for (size_t i = 0; i < ROW_VALUES; i++)
        search->vector[i] = values[i];
    float product = search->rows->kernels->dot_f32(search->query, search->vector, ROW_VALUES);
    insert(search, row, product * rows_factor(search->rows, row));
}

static void search_chunk(struct search *search, size_t first_row, size_t count)
{
    enum { BLOCK = 256 }; /* sums and products stay in the first cache */
    const struct rows *rows = search->rows;
    const struct rows_chunk *chunk = rows->chunks[first_row / ROWS_A_CHUNK];
    int32_t dots[BLOCK];
    float similar[BLOCK];
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t block = count - from < BLOCK ? count - from : BLOCK;
        rows->kernels->dots_i8(dots, search->bytes, chunk->values + from * ROW_VALUES, ROW_VALUES,
                               block);
        for (size_t i = 0; i < block; i++)
            similar[i] = (float)dots[i] * chunk->factors[from + i];
        for (size_t i = 0; i < block; i++)
            if (similar[i] >= search->least)
                look_at(search, first_row + from + i);
    }
}

size_t rows_search(const struct rows *rows, const float query[ROW_VALUES], struct row_hit *hits,
                   size_t limit)
{
    struct search search = {.rows = rows, .query = query, .hits = hits};
    search.limit = limit < ROWS_MAX_HITS ? limit : ROWS_MAX_HITS;
    begin_search(&search);
    for (size_t row = 0; search.limit > 0 && row < rows->count; row += ROWS_A_CHUNK) {
        size_t left = rows->count - row;
        search_chunk(&search, row, left < ROWS_A_CHUNK ? left : ROWS_A_CHUNK);
    }
    size_t count = search.count;
    seal_wipe(&search, sizeof search);
    return count;
}

/* A block of rows stays in the second cache while all rows behind it are compared with it. */
void rows_find_alike(const struct rows *rows, float least, rows_found *found, void *context)
{
    enum { BLOCK = 512 };
    _Static_assert(ROWS_A_CHUNK % BLOCK == 0, "a block lies in one chunk");
    int32_t dots[BLOCK];
    for (size_t from = 0; from < rows->count; from += BLOCK) {
        const struct rows_chunk *chunk = rows->chunks[from / ROWS_A_CHUNK];
        const int8_t *values = rows_at(rows, from);
        const float *factors = chunk->factors + from % ROWS_A_CHUNK;
        for (size_t second = from + 1; second < rows->count; second++) {
            size_t count = second - from < BLOCK ? second - from : BLOCK;
            float wanted = least / rows_factor(rows, second);
            rows->kernels->dots_i8(dots, rows_at(rows, second), values, ROW_VALUES, count);
            for (size_t i = 0; i < count; i++)
                if ((float)dots[i] * factors[i] >= wanted)
                    found(context, from + i, second);
        }
    }
}
