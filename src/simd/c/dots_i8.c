#define SIMD_SUFFIX c
#include "simd/level.h"

void dots_i8_c(int32_t *out, const int8_t *query, const int8_t *rows, size_t n, size_t count)
{
    for (size_t r = 0; r < count; r++) {
        const int8_t *row = rows + r * n;
        int32_t sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += query[i] * row[i];
        out[r] = sum;
    }
}
