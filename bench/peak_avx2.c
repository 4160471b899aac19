#include "simd/avx2/vec.h"

#define PEAK peak_avx2
#include "peak_template.h"
