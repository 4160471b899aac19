#include "simd/neon/vec.h"

#define PEAK peak_neon
#include "peak_template.h"
