#include "simd/cpu.h"

int simd_cpu_has(enum simd_level level)
{
    return level == SIMD_C;
}

void simd_flush_denormals(void)
{
}
