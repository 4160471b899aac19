#ifndef TESTS_SIMD_CHECK_H
#define TESTS_SIMD_CHECK_H

/* What the checks of all kernels share. */
#include "simd/kernels.h"

#include <stddef.h>
#include <stdint.h>

struct check {
    int quick; /* leave out most random cases and most of the real layers' pixels */
    uint64_t random;
    unsigned long passed, failed;
};

/* Pseudo-random numbers from check->random, the same in every run: -1 to 1, and low to high. */
float check_random(struct check *check);
int check_random_int(struct check *check, int low, int high);

/* Whether `got` may differ so from `want`: the rounding of a sum of `terms` terms whose absolute
 * values add up to `magnitude`, in any order. */
int check_close(double got, double want, double magnitude, size_t terms);

/* Count one case; a failed one is described, the first few of them. */
void check_count(struct check *check, int good, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The levels this machine has, the C level first: from `level` (-1 at first) to the next, -1 after
 * the last. */
int check_next_level(int level);

/* One function for each kernel of the list. */
#define X(name, result, arguments) void check_##name(struct check *check);
KERNEL_LIST(X)
#undef X

#endif
