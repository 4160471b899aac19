#ifndef CLOUD_DYNAMODB_NUMBER_H
#define CLOUD_DYNAMODB_NUMBER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* DynamoDB's numbers: exact decimals of up to 38 significant digits, magnitude 1E-130 to
 * 9.99...E+125, or 0.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
 */
enum {
    NUMBER_MAX_DIGITS = 38,
    NUMBER_TEXT_BYTES = 192, /* longest text of number_format() is 1 + 2 + 130 + 38 and a 0 */
    NUMBER_KEY_BYTES = 24,   /* longest output of number_key() */
};

/* sign * 0.d1d2d3... * 10^exponent, d1 and the last digit not 0. Zero: sign 0, no digits. */
struct number {
    int8_t sign; /* -1, 0, 1 */
    uint8_t count;
    int16_t exponent;
    uint8_t digits[NUMBER_MAX_DIGITS];
};

/* Failures are ERR_INVALID with AWS's message. */
int number_parse(const char *text, size_t size, struct number *out, struct err *err) MUST_USE;
/* As AWS gives it back: plain digits without needless zeros. Returns the length. */
size_t number_format(const struct number *number, char out[NUMBER_TEXT_BYTES]);
int number_compare(const struct number *a, const struct number *b); /* < 0, 0, > 0 */
int number_add(const struct number *a, const struct number *b, struct number *out,
               struct err *err) MUST_USE;
void number_negate(struct number *number);
void number_from_size(size_t value, struct number *out);
/* Bytes as DynamoDB counts them towards an item's size: one for two digits on each side of the
 * point, and one. */
size_t number_size(const struct number *number);
/* Bytes whose order under memcmp() is the order of the numbers; none is the beginning of another.
 * Returns how many. */
size_t number_key(const struct number *number, unsigned char out[NUMBER_KEY_BYTES]);

#endif
