#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

/* Unpredictable bytes from the kernel. Never fails: it aborts where the kernel has none to give. */
void random_bytes(void *out, size_t size);

/* `length` characters drawn evenly from `alphabet`, and a 0 behind: `out` has length + 1 bytes. */
void random_text(char *out, size_t length, const char *alphabet);

#define RANDOM_HEX "0123456789abcdef"
#define RANDOM_LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define RANDOM_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

enum { RANDOM_UUID_BYTES = 37 };
void random_uuid(char out[RANDOM_UUID_BYTES]); /* RFC 4122 version 4 */

#endif
