#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli; RFC 3720, B.4): the sum for what lies on disks, because processors have an
 * instruction for it. */

/* The sum of the bytes behind those that gave `crc` (0 at first). */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* Is it the processor that computes it? Else it is some ten times slower. */
int crc32c_is_fast(void);

#endif
