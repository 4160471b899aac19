#ifndef CLOUD_CRC_FOLD_H
#define CLOUD_CRC_FOLD_H

#include <stddef.h>
#include <stdint.h>

/* Reflected CRCs of up to 64 bits by the processor's carry-less products, 64 bytes a step. After
 * Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ" (Intel, 2009). */

/* Powers of x modulo the polynomial, reflected in 64 bits: of a piece's first and last 8 bytes, to
 * move it on by 64 and by 16 bytes. */
struct crc_fold {
    uint64_t far[2], near[2]; /* x^(512+63), x^511; x^(128+63), x^127 */
};

enum { CRC_FOLD_BYTES = 64, CRC_FOLDED_BYTES = 16 };

/* Has the processor the instruction? Without it crc_fold() must not be called. */
int crc_fold_is_fast(void);

/* 16 bytes whose CRC, begun with 0, is that of the `size` bytes (a multiple of 64, not 0) begun
 * with the register `crc`. */
void crc_fold(const struct crc_fold *by, uint64_t crc, const unsigned char *data, size_t size,
              unsigned char out[CRC_FOLDED_BYTES]);

#endif
