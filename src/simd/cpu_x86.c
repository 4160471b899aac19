#include "simd/cpu.h"

#include <xmmintrin.h>

enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };

int simd_cpu_has(enum simd_level level)
{
    switch (level) {
    case SIMD_C:
        return 1;
    case SIMD_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case SIMD_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    case SIMD_VNNI:
        return simd_cpu_has(SIMD_AVX512) && __builtin_cpu_supports("avx512vnni");
    default:
        return 0;
    }
}

void simd_flush_denormals(void)
{
    _mm_setcsr(_mm_getcsr() | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
}
