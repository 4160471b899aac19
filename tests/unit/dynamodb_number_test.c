#include "cloud/dynamodb/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct number parse(const char *text)
{
    struct number n;
    struct err err = {0};
    if (number_parse(text, strlen(text), &n, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    return n;
}

static void refused(const char *text, const char *message)
{
    struct number n;
    struct err err = {0};
    assert_int_equal(number_parse(text, strlen(text), &n, &err), -1);
    if (!strstr(err.message, message))
        fail_msg("%s: %s", text, err.message);
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",      "-",   "+",  ".",    "e5",   "1e",  "1e+",
                                        "1.2.3", " 1",  "1 ", "0x10", "NaN",  "1,5", "--1",
                                        "1e1.5", "abc", "1f", "1e-",  "-.e1", "Inf"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(wrong[i], "cannot be converted to a numeric value");
}

static void what_is_out_of_range_is_refused(void **state)
{
    (void)state;
    refused("1e126", "Number overflow");
    refused("-1e126", "Number overflow");
    refused("1e9223372036854775807", "Number overflow");
    refused("1e-99999999999", "Number underflow");
    refused("1e9223372036854775808", "cannot be converted to a numeric value");
    refused("0e126", "Number overflow");
    refused("0e-131", "Number underflow");
    refused("1e-131", "Number underflow");
    refused("1e-9223372036854775807", "Number underflow");
    refused("123456789012345678901234567890123456789", "more than 38 significant digits");
    refused("1.00000000000000000000000000000000000001", "more than 38 significant digits");
}

static void format_is_plain_and_short(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"0.000", "0"},
        {"0e125", "0"},
        {"0e-130", "0"},
        {"1.50", "1.5"},
        {"+1", "1"},
        {".5", "0.5"},
        {"-.5", "-0.5"},
        {"5.", "5"},
        {"1e3", "1000"},
        {"1.5E2", "150"},
        {"1e-3", "0.001"},
        {"007", "7"},
        {"1000", "1000"},
        {"123.456e1", "1234.56"},
        {"10.10", "10.1"},
        {"12e-1", "1.2"},
        {"99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
        {"0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUMBER_TEXT_BYTES];
        struct number n = parse(cases[i][0]);
        assert_int_equal(number_format(&n, text), strlen(cases[i][1]));
        assert_string_equal(text, cases[i][1]);
    }
}

static void the_extremes_fit_their_text(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_BYTES];
    struct number n = parse("-9.9999999999999999999999999999999999999e125");
    assert_int_equal(number_format(&n, text), 127);
    n = parse("-1e-130");
    assert_int_equal(number_format(&n, text), 133);
    n = parse("-9.9999999999999999999999999999999999999e-93");
    assert_true(number_format(&n, text) < NUMBER_TEXT_BYTES);
}

static void sums_are_exact(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"1", "2", "3"},
        {"0.1", "0.2", "0.3"},
        {"1", "-1", "0"},
        {"-5", "3", "-2"},
        {"999", "1", "1000"},
        {"1e20", "1", "100000000000000000001"},
        {"1e37", "-1", "9999999999999999999999999999999999999"},
        {"0", "-7.5", "-7.5"},
        {"99999999999999999999999999999999999999", "1", "100000000000000000000000000000000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUMBER_TEXT_BYTES];
        struct err err = {0};
        struct number a = parse(cases[i][0]), b = parse(cases[i][1]), sum;
        assert_int_equal(number_add(&a, &b, &sum, &err), 0);
        number_format(&sum, text);
        assert_string_equal(text, cases[i][2]);
    }
}

static void sums_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"1e40", "1"}, {"1e38", "1"}, {"9e125", "9e125"}};
    for (size_t i = 0; i < 3; i++) {
        struct err err = {0};
        struct number a = parse(cases[i][0]), b = parse(cases[i][1]), sum;
        assert_int_equal(number_add(&a, &b, &sum, &err), -1);
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Integers below 2^62, scaled by a power of ten that both share: the answer is known. */
static void sums_and_order_agree_with_integers(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        int shift = (int)(next_random(&seed) % 62);
        int64_t x = (int64_t)(next_random(&seed) >> 2) >> shift;
        int64_t y = (int64_t)(next_random(&seed) >> 2) >> (next_random(&seed) % 62);
        x = next_random(&seed) & 1 ? -x : x;
        y = next_random(&seed) & 1 ? -y : y;
        int power = (int)(next_random(&seed) % 120) - 60;
        char text[64], got[NUMBER_TEXT_BYTES], wanted[NUMBER_TEXT_BYTES];
        struct err err = {0};
        snprintf(text, sizeof text, "%llde%d", (long long)x, power);
        struct number a = parse(text);
        snprintf(text, sizeof text, "%llde%d", (long long)y, power);
        struct number b = parse(text), sum;
        snprintf(text, sizeof text, "%llde%d", (long long)(x + y), power);
        struct number c = parse(text);
        assert_int_equal(number_add(&a, &b, &sum, &err), 0);
        number_format(&sum, got);
        number_format(&c, wanted);
        assert_string_equal(got, wanted);
        assert_int_equal((x > y) - (x < y),
                         (number_compare(&a, &b) > 0) - (number_compare(&a, &b) < 0));
    }
}

/* The numbers below rise; their keys must rise too, and none may begin another. */
static void keys_sort_as_the_numbers(void **state)
{
    (void)state;
    static const char *const rising[] = {
        "-9.99e125", "-1e125", "-1000", "-999.9", "-100", "-99",   "-10.5",  "-10",
        "-9",        "-1.5",   "-1.01", "-1",     "-0.5", "-0.1",  "-0.099", "-1e-130",
        "0",         "1e-130", "0.099", "0.1",    "0.11", "0.5",   "1",      "1.01",
        "1.1",       "1.5",    "2",     "9",      "10",   "10.5",  "11",     "99",
        "100",       "101",    "999.9", "1000",   "1e20", "12e20", "1e125",  "9.99e125"};
    size_t count = sizeof rising / sizeof *rising;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            unsigned char a[NUMBER_KEY_BYTES], b[NUMBER_KEY_BYTES];
            struct number x = parse(rising[i]), y = parse(rising[j]);
            size_t m = number_key(&x, a), n = number_key(&y, b), common = m < n ? m : n;
            int order = memcmp(a, b, common);
            if (i != j)
                assert_int_not_equal(order, 0);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(what_is_out_of_range_is_refused),
        cmocka_unit_test(format_is_plain_and_short),
        cmocka_unit_test(the_extremes_fit_their_text),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(sums_that_do_not_fit_are_refused),
        cmocka_unit_test(sums_and_order_agree_with_integers),
        cmocka_unit_test(keys_sort_as_the_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
