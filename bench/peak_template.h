/* Included after a level's vec.h, with PEAK the name of the function. */
#include "peak.h"

double PEAK(long rounds)
{
    vec sum[PEAK_SUMS], x = vec_set(0.999999f), y = vec_set(1e-6f);
    UNROLL
    for (int i = 0; i < PEAK_SUMS; i++)
        sum[i] = vec_set((float)i);
    for (long r = 0; r < rounds; r++) {
        UNROLL
        for (int i = 0; i < PEAK_SUMS; i++)
            sum[i] = vec_fma(sum[i], x, y);
    }
    volatile float keep = 0;
    for (int i = 0; i < PEAK_SUMS; i++)
        keep = keep + vec_sum(sum[i]);
    return 2.0 * (double)rounds * PEAK_SUMS * WIDTH;
}
