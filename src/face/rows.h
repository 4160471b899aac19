#ifndef FACE_ROWS_H
#define FACE_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* Many directions, each a row of ROW_VALUES bytes, and the search among them. A unit vector v
 * becomes bytes r = round(127 v / max|v|), and stands for r / |r|: its factor 1 / |r| follows from
 * the bytes, and a row is as long as one again whatever the rounding did. What that costs is in
 * docs/gallery.md. Rows lie in chunks that never move: adding one touches no other. */
enum {
    ROW_VALUES = 512,
    ROWS_A_CHUNK = 4096, /* 2 MiB: one large page */
    ROWS_MAX_HITS = 100,
    ROWS_AT_ONCE = 8,
};

struct rows_chunk {
    int8_t *values; /* ROWS_A_CHUNK x ROW_VALUES */
    float factors[ROWS_A_CHUNK];
};

struct kernels;
struct rows {
    const struct kernels *kernels; /* looked up with the first row: that costs more than a row */
    struct rows_chunk **chunks;
    size_t chunk_count, chunk_capacity, count;
};

struct row_hit {
    size_t row;
    float similarity; /* cosine of the query, not rounded, and the row */
};

float row_largest(const float vector[ROW_VALUES]); /* of the values' sizes */
void row_from_floats(int8_t row[ROW_VALUES], const float vector[ROW_VALUES]);
/* 1 / |row|; 0 for a row of zeros. */
float row_factor(const int8_t row[ROW_VALUES]);
void row_to_floats(float vector[ROW_VALUES], const int8_t row[ROW_VALUES]);

/* What a row of a sum of directions counts: 2^21 / |row|, rounded; 0 for a row of zeros. */
int16_t row_weight(const int8_t row[ROW_VALUES]);
/* sum += weights[r] * row r, of `count` rows (at most ROWS_AT_ONCE) one after the other: exact. */
void rows_sum(int64_t sum[ROW_VALUES], const int8_t *rows, const int16_t *weights, size_t count);

/* A struct of zeros is an empty one. Returns -1 without memory. */
int rows_add(struct rows *rows, const int8_t row[ROW_VALUES]);
const int8_t *rows_at(const struct rows *rows, size_t row);
float rows_factor(const struct rows *rows, size_t row);
void rows_set(struct rows *rows, size_t row, const int8_t values[ROW_VALUES]);
/* The row becomes the direction of the sum of `count` rows, which lie one after the other. */
void rows_set_mean(struct rows *rows, size_t row, const int8_t *of, size_t count);
/* The rows behind it move up; nothing of it stays in memory. */
void rows_remove(struct rows *rows, size_t row);
void rows_finish(struct rows *rows); /* wipes */

/* The `limit` (at most ROWS_MAX_HITS) rows most like `query`, best first, of equal ones the
 * earlier; returns how many. Exact: the same rows in the same order as comparing the query, not
 * rounded, with every row would give. */
size_t rows_search(const struct rows *rows, const float query[ROW_VALUES], struct row_hit *hits,
                   size_t limit);

/* Calls `found` for each two rows, `first` before `second`, whose cosine is `least` or more; both
 * are rounded to bytes (docs/gallery.md has what that costs). All are compared with all. */
typedef void rows_found(void *context, size_t first, size_t second);
void rows_find_alike(const struct rows *rows, float least, rows_found *found, void *context);

#endif
