#ifndef SIMD_CPU_H
#define SIMD_CPU_H

#include "simd/kernels.h"

/* Whether this processor and its operating system can run `level`. One file a processor family:
 * cpu_x86.c, cpu_arm.c, cpu_other.c. */
int simd_cpu_has(enum simd_level level);

#endif
