#include "peak.h"

#include "base/clock.h"

static double (*const peaks[SIMD_LEVELS])(long) = {
#ifdef SIMD_HAVE_AVX2
    [SIMD_AVX2] = peak_avx2,
#endif
#ifdef SIMD_HAVE_AVX512
    [SIMD_AVX512] = peak_avx512,
#endif
#ifdef SIMD_HAVE_NEON
    [SIMD_NEON] = peak_neon,
#endif
};

double peak_gflops(enum simd_level level)
{
    enum { BURSTS = 20, ROUNDS = 200000 };
    double best = 0;
    for (int i = 0; peaks[level] && simd_has(level) && i < BURSTS; i++) {
        uint64_t start = clock_monotonic_ns();
        double operations = peaks[level](ROUNDS);
        double rate = operations / (double)(clock_monotonic_ns() - start);
        best = rate > best ? rate : best;
    }
    return best;
}
