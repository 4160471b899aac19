#include "face/head.h"
#include "face/seal.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct head) == ROW_VALUES * ROW_VALUES + ROW_VALUES * sizeof(float),
               "the file holds the struct as it is");

enum { LARGEST = 127 };

static struct head *allocate(struct err *err)
{
    struct head *head = malloc(sizeof *head);
    if (!head)
        err_set(err, ERR_NO_MEMORY, "no memory for the trained head");
    return head;
}

static int has_good_scales(const struct head *head)
{
    for (size_t i = 0; i < ROW_VALUES; i++)
        if (!(head->scales[i] >= 0 && head->scales[i] <= HEAD_MAX_SCALE)) /* or not a number */
            return 0;
    return 1;
}

struct head *head_create(const float *correction, struct err *err)
{
    struct head *head = allocate(err);
    if (!head)
        return NULL;
    for (size_t i = 0; i < ROW_VALUES; i++) {
        const float *row = correction + i * ROW_VALUES;
        row_from_floats(head->rows[i], row);
        head->scales[i] = row_largest(row) / LARGEST;
    }
    if (has_good_scales(head))
        return head;
    err_set(err, ERR_INVALID, "the trained head is no correction: its numbers grew too large");
    head_destroy(head);
    return NULL;
}

struct head *head_read(const void *bytes, struct err *err)
{
    struct head *head = allocate(err);
    if (!head)
        return NULL;
    memcpy(head, bytes, sizeof *head);
    if (has_good_scales(head))
        return head;
    err_set(err, ERR_CORRUPT, "its trained head is damaged");
    head_destroy(head);
    return NULL;
}

void head_destroy(struct head *head)
{
    if (head)
        seal_wipe(head, sizeof *head);
    free(head);
}

void head_apply(const struct head *head, float out[ROW_VALUES], const float in[ROW_VALUES])
{
    if (!head) {
        memmove(out, in, ROW_VALUES * sizeof *out);
        return;
    }
    int8_t rounded[ROW_VALUES];
    int32_t products[ROW_VALUES];
    double square = 0;
    float step = row_largest(in) / LARGEST;
    row_from_floats(rounded, in);
    simd_kernels(simd_best())->dots_i8(products, rounded, head->rows[0], ROW_VALUES, ROW_VALUES);
    for (size_t i = 0; i < ROW_VALUES; i++) {
        out[i] = in[i] + (float)products[i] * head->scales[i] * step;
        square += (double)out[i] * (double)out[i];
    }
    float factor = square > 0 ? (float)(1 / sqrt(square)) : 0;
    for (size_t i = 0; i < ROW_VALUES; i++)
        out[i] *= factor;
    seal_wipe(rounded, sizeof rounded);
}
