#include "simd/cpu.h"

#include <asm/hwcap.h>
#include <sys/auxv.h>

int simd_cpu_has(enum simd_level level)
{
    if (level == SIMD_NEONDOT)
        return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
    return level == SIMD_C || level == SIMD_NEON; /* NEON is part of every arm64 processor */
}

void simd_flush_denormals(void)
{
    uint64_t fpcr, flush_to_zero = (uint64_t)1 << 24;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | flush_to_zero));
}
