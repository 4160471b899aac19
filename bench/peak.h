#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include "simd/kernels.h"

enum { PEAK_SUMS = 12 }; /* independent multiply-adds a round */

/* Runs `rounds` rounds of multiply-adds on registers alone; returns how many floating-point
 * operations (two a multiply-add and lane) that was. */
double peak_avx2(long rounds);
double peak_avx512(long rounds);
double peak_neon(long rounds);

/* Multiply-add GFLOP/s that this core reaches at that level, the best of several short bursts; 0
 * where it is not known. */
double peak_gflops(enum simd_level level);

#endif
