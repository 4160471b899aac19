/* Checks every kernel at every level this machine has: against a plain computation in double
 * precision and against the C level, at all sizes from 1 to 130, at the shapes of the real layers,
 * and with unreadable pages on both sides of every buffer. --quick is for emulated processors. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_REPORTS = 40 };

static uint32_t random_bits(struct check *check)
{
    check->random = check->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(check->random >> 32);
}

float check_random(struct check *check)
{
    return (float)(int32_t)random_bits(check) * 0x1p-31f;
}

int check_random_int(struct check *check, int low, int high)
{
    return low + (int)(random_bits(check) % (uint32_t)(high - low + 1));
}

int check_close(double got, double want, double magnitude, size_t terms)
{
    return fabs(got - want) <= ((double)terms + 2) * FLT_EPSILON * magnitude + FLT_MIN;
}

void check_count(struct check *check, int good, const char *format, ...)
{
    check->passed += good != 0;
    check->failed += !good;
    if (good || check->failed > MOST_REPORTS)
        return;
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

int check_next_level(int level)
{
    for (level++; level < SIMD_LEVELS; level++)
        if (simd_has((enum simd_level)level))
            return level;
    return -1;
}

/* The faster levels must not fill a place of the table with another kernel's function. */
static void check_tables(struct check *check)
{
    for (int level = -1; (level = check_next_level(level)) >= 0;) {
        const struct kernels *k = simd_kernels((enum simd_level)level);
#define X(name, result, arguments)                                                                 \
    check_count(check, k->name != NULL, "%s: no " #name, simd_level_name((enum simd_level)level));
        KERNEL_LIST(X)
#undef X
    }
}

int main(int argc, char **argv)
{
    struct check check = {.random = 1, .quick = argc > 1 && strcmp(argv[1], "--quick") == 0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    simd_flush_denormals();
    check_tables(&check);
#define X(name, result, arguments) {#name, check_##name},
    static const struct {
        const char *name;
        void (*run)(struct check *);
    } kernels[] = {KERNEL_LIST(X)};
#undef X
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        unsigned long failed = check.failed;
        kernels[i].run(&check);
        printf("%s: %s\n", kernels[i].name, check.failed == failed ? "right" : "WRONG");
    }
    printf("levels:");
    for (int level = -1; (level = check_next_level(level)) >= 0;)
        printf(" %s", simd_level_name((enum simd_level)level));
    printf("\n%lu passed, %lu failed\n", check.passed, check.failed);
    return check.failed != 0;
}
