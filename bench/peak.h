#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

/* Multiply-adds, as many as the core can do: `rounds` rounds of PEAK_SUMS independent ones on whole
 * vectors. Returns the floating-point operations done. One function a level. */
enum { PEAK_SUMS = 12 };

double peak_c(long rounds);
double peak_avx2(long rounds);
double peak_avx512(long rounds);
double peak_neon(long rounds);

#endif
