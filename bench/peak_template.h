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
    float lanes[PEAK_SUMS * WIDTH], total = 0;
    UNROLL
    for (int i = 0; i < PEAK_SUMS; i++)
        vec_store(lanes + i * WIDTH, sum[i]);
    for (int i = 0; i < PEAK_SUMS * WIDTH; i++)
        total += lanes[i];
    volatile float keep = total; /* or the compiler would leave the work out */
    (void)keep;
    return 2.0 * (double)rounds * PEAK_SUMS * WIDTH;
}
