#include "simd/cpu.h"

#include <stdlib.h>
#include <string.h>

extern const struct kernels kernels_c, kernels_avx2, kernels_avx512, kernels_vnni, kernels_neon,
    kernels_neondot;

static const char *const level_names[SIMD_LEVELS] = {"c",    "avx2", "avx512",
                                                     "vnni", "neon", "neondot"};

static const struct kernels *const tables[SIMD_LEVELS] = {
    [SIMD_C] = &kernels_c,
#ifdef SIMD_HAVE_AVX2
    [SIMD_AVX2] = &kernels_avx2,
#endif
#ifdef SIMD_HAVE_AVX512
    [SIMD_AVX512] = &kernels_avx512,
#endif
#ifdef SIMD_HAVE_VNNI
    [SIMD_VNNI] = &kernels_vnni,
#endif
#ifdef SIMD_HAVE_NEON
    [SIMD_NEON] = &kernels_neon,
#endif
#ifdef SIMD_HAVE_NEONDOT
    [SIMD_NEONDOT] = &kernels_neondot,
#endif
};

const char *simd_level_name(enum simd_level level)
{
    return level_names[level];
}

enum simd_level simd_best(void)
{
    const char *cap = getenv("KEN_SIMD");
    enum simd_level best = SIMD_C;
    for (int i = SIMD_C; i < SIMD_LEVELS; i++) {
        enum simd_level level = (enum simd_level)i;
        if (simd_has(level))
            best = level;
        if (cap && strcmp(cap, level_names[level]) == 0)
            break;
    }
    return best;
}

int simd_has(enum simd_level level)
{
    return tables[level] != NULL && simd_cpu_has(level);
}

int simd_prefers_product(enum simd_level level)
{
    return level == SIMD_VNNI;
}

const struct kernels *simd_kernels(enum simd_level level)
{
    return tables[level];
}
