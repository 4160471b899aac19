#ifndef BASE_RESIDENT_H
#define BASE_RESIDENT_H

#include <stdint.h>

/* Memory of this process that is in RAM now, files it maps included; 0 where it cannot be told. */
uint64_t resident_bytes(void);

#endif
