#include "face/rows.h"
#include "simd/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t state = 1;

static float random_float(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(int32_t)state * 0x1p-31f;
}

static void random_unit(float out[ROW_VALUES])
{
    float square = 0;
    for (size_t i = 0; i < ROW_VALUES; i++) {
        out[i] = random_float();
        square += out[i] * out[i];
    }
    for (size_t i = 0; i < ROW_VALUES; i++)
        out[i] /= sqrtf(square);
}

static float dot(const float *a, const float *b)
{
    return simd_kernels(SIMD_C)->dot_f32(a, b, ROW_VALUES);
}

static void add_random(struct rows *rows, size_t count)
{
    float vector[ROW_VALUES];
    int8_t row[ROW_VALUES];
    for (size_t i = 0; i < count; i++) {
        random_unit(vector);
        row_from_floats(row, vector);
        assert_int_equal(rows_add(rows, row), 0);
    }
}

static void a_row_points_where_its_vector_did(void **unused)
{
    (void)unused;
    float vector[ROW_VALUES], back[ROW_VALUES];
    int8_t row[ROW_VALUES];
    for (int i = 0; i < 100; i++) {
        random_unit(vector);
        row_from_floats(row, vector);
        row_to_floats(back, row);
        assert_true(fabsf(dot(back, back) - 1) < 1e-5f);
        assert_true(dot(vector, back) > 0.9999f);
    }
}

static void extremes_fill_the_bytes_and_no_more(void **unused)
{
    (void)unused;
    float vector[ROW_VALUES] = {1, -1, 0.5f};
    int8_t row[ROW_VALUES];
    row_from_floats(row, vector);
    assert_int_equal(row[0], 127);
    assert_int_equal(row[1], -127);
    assert_int_equal(row[2], 64);
}

static void zeros_have_no_direction(void **unused)
{
    (void)unused;
    float vector[ROW_VALUES] = {0};
    int8_t row[ROW_VALUES];
    row_from_floats(row, vector);
    assert_true(row_factor(row) == 0);
    row_to_floats(vector, row);
    assert_true(vector[0] == 0);
}

/* Every row by the definition, in floats. */
static size_t best_by_definition(const struct rows *rows, const float *query, float above,
                                 float *similarity)
{
    size_t best = SIZE_MAX;
    float vector[ROW_VALUES];
    *similarity = -2;
    for (size_t i = 0; i < rows->count; i++) {
        row_to_floats(vector, rows_at(rows, i));
        float s = dot(query, vector);
        if (s > *similarity && s < above) {
            *similarity = s;
            best = i;
        }
    }
    return best;
}

static void search_finds_the_best_in_order(void **unused)
{
    (void)unused;
    enum { TOP = 5, ROWS = ROWS_A_CHUNK + 700 };
    struct rows rows = {0};
    add_random(&rows, ROWS);
    for (int try = 0; try < 5; try++) {
        float query[ROW_VALUES], above = 2;
        struct row_hit hits[TOP];
        random_unit(query);
        assert_int_equal(rows_search(&rows, query, hits, TOP), TOP);
        for (int i = 0; i < TOP; i++) {
            float similarity;
            size_t want = best_by_definition(&rows, query, above, &similarity);
            assert_int_equal(hits[i].row, want);
            assert_true(fabsf(hits[i].similarity - similarity) < 1e-5f);
            assert_true(i == 0 || hits[i].similarity <= hits[i - 1].similarity);
            above = similarity;
        }
    }
    rows_finish(&rows);
}

/* Rows around the query, which differ by less than its rounding: bytes alone take one for another.
 */
static void search_tells_rows_apart_that_rounding_would_not(void **unused)
{
    (void)unused;
    enum { TOP = 3, ROWS = 600 };
    for (int try = 0; try < 20; try++) {
        struct rows rows = {0};
        float query[ROW_VALUES], vector[ROW_VALUES], other[ROW_VALUES], above = 2;
        struct row_hit hits[TOP];
        int8_t row[ROW_VALUES];
        random_unit(query);
        for (int i = 0; i < ROWS; i++) {
            random_unit(other);
            for (size_t k = 0; k < ROW_VALUES; k++)
                vector[k] = query[k] + 0.3f * other[k];
            row_from_floats(row, vector);
            assert_int_equal(rows_add(&rows, row), 0);
        }
        assert_int_equal(rows_search(&rows, query, hits, TOP), TOP);
        for (int i = 0; i < TOP; i++) {
            float similarity;
            assert_int_equal(hits[i].row, best_by_definition(&rows, query, above, &similarity));
            above = similarity;
        }
        rows_finish(&rows);
    }
}

static void search_finds_each_row_by_itself(void **unused)
{
    (void)unused;
    struct rows rows = {0};
    add_random(&rows, ROWS_A_CHUNK + 300);
    const size_t wanted[] = {0, 255, 256, ROWS_A_CHUNK - 1, ROWS_A_CHUNK, ROWS_A_CHUNK + 299};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        float query[ROW_VALUES];
        struct row_hit hit;
        row_to_floats(query, rows_at(&rows, wanted[i]));
        assert_int_equal(rows_search(&rows, query, &hit, 1), 1);
        assert_int_equal(hit.row, wanted[i]);
        assert_true(fabsf(hit.similarity - 1) < 1e-4f);
    }
    rows_finish(&rows);
}

static void search_gives_no_more_than_there_are(void **unused)
{
    (void)unused;
    struct rows rows = {0};
    float query[ROW_VALUES];
    struct row_hit hits[ROWS_MAX_HITS + 1] = {0};
    random_unit(query);
    assert_int_equal(rows_search(&rows, query, hits, 5), 0);
    add_random(&rows, 3);
    assert_int_equal(rows_search(&rows, query, hits, 5), 3);
    assert_int_equal(rows_search(&rows, query, hits, 0), 0);
    add_random(&rows, ROWS_MAX_HITS);
    hits[ROWS_MAX_HITS].row = 77777;
    assert_int_equal(rows_search(&rows, query, hits, ROWS_MAX_HITS + 1), ROWS_MAX_HITS);
    assert_int_equal(hits[ROWS_MAX_HITS].row, 77777);
    rows_finish(&rows);
}

static void the_earlier_of_equal_rows_comes_first(void **unused)
{
    (void)unused;
    struct rows rows = {0};
    float query[ROW_VALUES];
    int8_t row[ROW_VALUES];
    struct row_hit hits[3];
    add_random(&rows, 10);
    random_unit(query);
    row_from_floats(row, query);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rows_add(&rows, row), 0);
    assert_int_equal(rows_search(&rows, query, hits, 3), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(hits[i].row, 10 + i);
    rows_finish(&rows);
}

static void adding_moves_no_row(void **unused)
{
    (void)unused;
    struct rows rows = {0};
    add_random(&rows, 1);
    const int8_t *first = rows_at(&rows, 0);
    add_random(&rows, 5 * ROWS_A_CHUNK);
    assert_ptr_equal(rows_at(&rows, 0), first);
    rows_finish(&rows);
}

/* A row that tells its number. */
static void number_row(int8_t row[ROW_VALUES], size_t number)
{
    memset(row, 0, ROW_VALUES);
    row[0] = 127;
    row[1] = (int8_t)(number & 127);
    row[2] = (int8_t)(number >> 7);
}

static void removing_keeps_the_order_of_the_others(void **unused)
{
    (void)unused;
    enum { ROWS = 2 * ROWS_A_CHUNK + 3 };
    const size_t removed[] = {0, ROWS_A_CHUNK - 1, ROWS_A_CHUNK, 2 * ROWS_A_CHUNK, ROWS - 1};
    struct rows rows = {0};
    int8_t row[ROW_VALUES];
    for (size_t i = 0; i < ROWS; i++) {
        number_row(row, i);
        assert_int_equal(rows_add(&rows, row), 0);
    }
    for (size_t i = sizeof removed / sizeof removed[0]; i-- > 0;)
        rows_remove(&rows, removed[i]);
    assert_int_equal(rows.count, ROWS - 5);
    size_t next = 0, left = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (next < 5 && removed[next] == i) {
            next++;
            continue;
        }
        number_row(row, i);
        assert_memory_equal(rows_at(&rows, left), row, ROW_VALUES);
        assert_true(rows.chunks[left / ROWS_A_CHUNK]->factors[left % ROWS_A_CHUNK] ==
                    row_factor(row));
        left++;
    }
    rows_finish(&rows);
}

static void nothing_of_a_removed_row_stays(void **unused)
{
    (void)unused;
    struct rows rows = {0};
    const int8_t zeros[ROW_VALUES] = {0};
    add_random(&rows, 2);
    int8_t first[ROW_VALUES];
    memcpy(first, rows_at(&rows, 0), sizeof first);
    rows_remove(&rows, 0);
    assert_memory_equal(rows.chunks[0]->values + ROW_VALUES, zeros, ROW_VALUES);
    assert_null(memmem(rows.chunks[0]->values, sizeof first * 2, first, sizeof first));
    rows_remove(&rows, 0);
    assert_memory_equal(rows.chunks[0]->values, zeros, ROW_VALUES);
    rows_finish(&rows);
}

struct alike {
    size_t pairs[8][2], count;
};

static void note_pair(void *context, size_t first, size_t second)
{
    struct alike *alike = context;
    assert_true(alike->count < 8);
    alike->pairs[alike->count][0] = first;
    alike->pairs[alike->count++][1] = second;
}

/* More rows than a chunk has, a row twice across and within chunks and blocks, and one nearly. */
static void rows_that_are_alike_are_found_wherever_they_lie(void **test_state)
{
    (void)test_state;
    static const size_t copies[][2] = {{0, 1}, {511, 512}, {3, 4095}, {7, 4096}, {4099, 4300}};
    enum { COPIES = sizeof copies / sizeof *copies };
    struct rows rows = {0};
    struct alike alike = {.count = 0};
    rows_find_alike(&rows, 0.9f, note_pair, &alike);
    assert_int_equal(alike.count, 0);
    add_random(&rows, ROWS_A_CHUNK + 300);
    rows_find_alike(&rows, 0.9f, note_pair, &alike);
    assert_int_equal(alike.count, 0);
    for (int i = 0; i < COPIES; i++)
        rows_set(&rows, copies[i][1], rows_at(&rows, copies[i][0]));
    int8_t row[ROW_VALUES];
    memcpy(row, rows_at(&rows, 4300), ROW_VALUES);
    for (int i = 0; i < ROW_VALUES; i += 3)
        row[i] = (int8_t)(row[i] / 2); /* no longer alike */
    rows_set(&rows, 4300, row);
    rows_find_alike(&rows, 0.995f, note_pair, &alike);
    assert_int_equal(alike.count, COPIES - 1);
    for (int i = 0; i < COPIES - 1; i++) {
        size_t k = 0;
        while (k < alike.count && memcmp(alike.pairs[k], copies[i], sizeof copies[i]) != 0)
            k++;
        assert_true(k < alike.count);
    }
    rows_finish(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_points_where_its_vector_did),
        cmocka_unit_test(extremes_fill_the_bytes_and_no_more),
        cmocka_unit_test(zeros_have_no_direction),
        cmocka_unit_test(search_finds_the_best_in_order),
        cmocka_unit_test(search_tells_rows_apart_that_rounding_would_not),
        cmocka_unit_test(search_finds_each_row_by_itself),
        cmocka_unit_test(search_gives_no_more_than_there_are),
        cmocka_unit_test(the_earlier_of_equal_rows_comes_first),
        cmocka_unit_test(adding_moves_no_row),
        cmocka_unit_test(removing_keeps_the_order_of_the_others),
        cmocka_unit_test(nothing_of_a_removed_row_stays),
        cmocka_unit_test(rows_that_are_alike_are_found_wherever_they_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
