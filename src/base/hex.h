#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stddef.h>

/* Bytes as hexadecimal digits. */

/* Writes 2 * size lower-case digits and a 0 behind them. */
void hex_encode(const void *data, size_t size, char *out);
/* Reads 2 * size digits of either case; -1 when one is none. */
int hex_decode(const char *text, void *out, size_t size);
/* The value of one digit, -1 for another character. */
int hex_digit(char c);

#endif
