#include "cloud/dynamodb/number.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_WRITTEN = 100000000,
    MAX_EXPONENT = 126,
    MIN_EXPONENT = -129,
    SUM_DIGITS = 2 * NUMBER_MAX_DIGITS + 2
};

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What a number's text says before it is checked for range. */
struct reading {
    const char *at, *end;
    int digits, leading; /* significant digits so far; any digit seen */
    long exponent;       /* of the first significant digit */
    int too_precise, zeros;
};

/* Take one digit; zeros are held back, so that trailing ones do not count as precision. */
static void take_digit(struct reading *r, struct number *out, int digit, int fraction)
{
    r->leading = 1;
    if (!digit && !r->digits) {
        r->exponent -= fraction;
        return;
    }
    r->exponent += !fraction;
    if (!digit) {
        r->zeros++;
        return;
    }
    if (r->zeros >= NUMBER_MAX_DIGITS || r->digits + r->zeros >= NUMBER_MAX_DIGITS) {
        r->too_precise = 1;
        return;
    }
    while (r->zeros) {
        out->digits[r->digits++] = 0;
        r->zeros--;
    }
    out->digits[r->digits++] = (uint8_t)digit;
}

static void read_digits(struct reading *r, struct number *out)
{
    for (; r->at < r->end && is_digit(*r->at); r->at++)
        take_digit(r, out, *r->at - '0', 0);
    if (r->at == r->end || *r->at != '.')
        return;
    for (r->at++; r->at < r->end && is_digit(*r->at); r->at++)
        take_digit(r, out, *r->at - '0', 1);
}

/* Returns -1 when there is an exponent part without digits, or one that no 64 bits hold. */
static int read_exponent(struct reading *r)
{
    if (r->at == r->end || (*r->at != 'e' && *r->at != 'E'))
        return 0;
    r->at++;
    int negative = r->at < r->end && *r->at == '-';
    if (r->at < r->end && (*r->at == '-' || *r->at == '+'))
        r->at++;
    if (r->at == r->end || !is_digit(*r->at))
        return -1;
    int64_t value = 0;
    for (; r->at < r->end && is_digit(*r->at); r->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *r->at - '0', &value))
            return -1;
    value = value > MAX_WRITTEN ? MAX_WRITTEN : value;
    r->exponent += negative ? -(long)value : (long)value;
    return 0;
}

static int overflow(struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "Number overflow. Attempting to store a number with magnitude larger than "
                   "supported range");
}

static int check_range(long exponent, struct err *err)
{
    if (exponent > MAX_EXPONENT)
        return overflow(err);
    if (exponent < MIN_EXPONENT)
        return err_set(err, ERR_INVALID,
                       "Number underflow. Attempting to store a number with magnitude smaller than "
                       "supported range");
    return 0;
}

static int not_a_number(const char *text, size_t size, struct err *err)
{
    return err_set(err, ERR_INVALID, "The parameter cannot be converted to a numeric value: %.*s",
                   (int)(size > 128 ? 128 : size), text);
}

int number_parse(const char *text, size_t size, struct number *out, struct err *err)
{
    struct reading r = {.at = text, .end = text + size};
    *out = (struct number){0};
    if (!size)
        return err_set(err, ERR_INVALID, "The parameter cannot be converted to a numeric value");
    int negative = *r.at == '-';
    if (*r.at == '-' || *r.at == '+')
        r.at++;
    read_digits(&r, out);
    if (!r.leading || read_exponent(&r) < 0 || r.at != r.end)
        return not_a_number(text, size, err);
    if (r.too_precise)
        return err_set(err, ERR_INVALID,
                       "Attempting to store more than 38 significant digits in a Number");
    out->count = (uint8_t)r.digits;
    out->sign = (int8_t)(!r.digits ? 0 : negative ? -1 : 1);
    if (check_range(out->sign ? r.exponent : r.exponent + 1, err) < 0) /* 0e125 fits, 0e126 not */
        return -1;
    out->exponent = (int16_t)(out->sign ? r.exponent : 0);
    return 0;
}

size_t number_format(const struct number *number, char out[NUMBER_TEXT_BYTES])
{
    char *at = out;
    if (number->sign < 0)
        *at++ = '-';
    if (number->exponent <= 0)
        *at++ = '0';
    if (number->exponent <= 0 && number->count)
        *at++ = '.';
    for (int i = number->exponent; i < 0; i++)
        *at++ = '0';
    for (int i = 0; i < number->count || i < number->exponent; i++) {
        if (i && i == number->exponent)
            *at++ = '.';
        *at++ = (char)('0' + (i < number->count ? number->digits[i] : 0));
    }
    *at = 0;
    return (size_t)(at - out);
}

static int compare_magnitudes(const struct number *a, const struct number *b)
{
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    size_t common = a->count < b->count ? a->count : b->count;
    int order = memcmp(a->digits, b->digits, common);
    return order ? order : (int)a->count - (int)b->count;
}

int number_compare(const struct number *a, const struct number *b)
{
    if (a->sign != b->sign)
        return a->sign < b->sign ? -1 : 1;
    return a->sign * compare_magnitudes(a, b);
}

void number_negate(struct number *number)
{
    number->sign = (int8_t)-number->sign;
}

/* Digit of `number` at place `index` below the power `exponent`, 0 outside. */
static int digit_at(const struct number *number, int exponent, int index)
{
    int i = index - (exponent - number->exponent);
    return i >= 0 && i < number->count ? number->digits[i] : 0;
}

/* From SUM_DIGITS digits, the first of weight 10^(exponent - 1), to a number. */
static int pack_sum(const uint8_t *digits, int exponent, struct number *out, struct err *err)
{
    int first = 0, last = SUM_DIGITS;
    while (first < last && !digits[first])
        first++;
    while (last > first && !digits[last - 1])
        last--;
    if (last - first > NUMBER_MAX_DIGITS)
        return overflow(err); /* AWS's word for too many digits of a sum, too */
    out->count = (uint8_t)(last - first);
    memcpy(out->digits, digits + first, out->count);
    if (!out->count) {
        *out = (struct number){0};
        return 0;
    }
    if (out->sign && check_range(exponent - first, err) < 0)
        return -1;
    out->exponent = (int16_t)(exponent - first);
    return 0;
}

int number_add(const struct number *a, const struct number *b, struct number *out, struct err *err)
{
    if (!a->sign || !b->sign) {
        *out = a->sign ? *a : *b;
        return 0;
    }
    const struct number *big = compare_magnitudes(a, b) >= 0 ? a : b, *small = big == a ? b : a;
    if (big->exponent - small->exponent > NUMBER_MAX_DIGITS)
        return overflow(err);
    uint8_t digits[SUM_DIGITS];
    int exponent = big->exponent + 1, carry = 0, factor = a->sign * b->sign;
    for (int i = SUM_DIGITS - 1; i >= 0; i--) {
        int sum = digit_at(big, exponent, i) + factor * digit_at(small, exponent, i) + carry;
        carry = sum < 0 ? -1 : sum / 10;
        digits[i] = (uint8_t)(sum - 10 * carry);
    }
    struct number result = {.sign = big->sign};
    if (pack_sum(digits, exponent, &result, err) < 0)
        return -1;
    *out = result;
    return 0;
}

void number_from_size(size_t value, struct number *out)
{
    char text[32];
    struct err ignored;
    int length = snprintf(text, sizeof text, "%zu", value);
    if (number_parse(text, (size_t)length, out, &ignored) < 0)
        *out = (struct number){0};
}

size_t number_size(const struct number *number)
{
    if (!number->sign)
        return 1;
    /* Two digits a byte on each side of the point, and one byte; the sign of negative ones is
     * another. Measured on the real service (the developer guide's rule differs). */
    int whole = number->exponent < 0                    ? 0
                : number->exponent > (int)number->count ? number->count
                                                        : number->exponent;
    int fraction = number->count - whole;
    return (size_t)(1 + (whole + 1) / 2 + (fraction + 1) / 2 + (number->sign < 0));
}

/* Sign byte; exponent (biased, one byte); pairs of digits + 1; an end byte. Negative numbers have
 * all of it inverted, so that larger magnitudes come first. */
size_t number_key(const struct number *number, unsigned char out[NUMBER_KEY_BYTES])
{
    if (!number->sign) {
        out[0] = 0x80;
        return 1;
    }
    size_t size = 0;
    out[size++] = 0xc0;
    out[size++] = (unsigned char)(number->exponent + 128 + 1);
    for (int i = 0; i < number->count; i += 2) {
        int low = i + 1 < number->count ? number->digits[i + 1] : 0;
        out[size++] = (unsigned char)(number->digits[i] * 10 + low + 1);
    }
    out[size++] = 0;
    for (size_t i = 0; number->sign < 0 && i < size; i++)
        out[i] = (unsigned char)~out[i];
    return size;
}
