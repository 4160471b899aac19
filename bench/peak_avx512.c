#include "simd/avx512/vec.h"

#define PEAK peak_avx512
#include "peak_template.h"
