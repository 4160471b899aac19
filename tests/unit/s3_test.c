#include "cloud/reply.h"
#include "cloud/s3/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void wrong_bucket_names(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",        "ab",    "Abc",       "a_c",
                                        "-abc",    "abc-",  "a..c",      ".abc",
                                        "1.2.3.4", "xn--a", "a-s3alias", "abc--ol-s3",
                                        "a/b",     "a b",   "sthree-a",  "\xc3\xa9\xc3\xa9"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(s3_bucket_name_is_valid(wrong[i]));
    char name[65];
    memset(name, 'a', 64);
    name[64] = 0;
    assert_false(s3_bucket_name_is_valid(name));
    name[63] = 0;
    assert_true(s3_bucket_name_is_valid(name));
    assert_true(s3_bucket_name_is_valid("a.b-c.1"));
}

static int address(const char *host, const char *path, char *out)
{
    struct http_header headers[] = {{"Host", host}};
    struct reply reply;
    struct exchange x = {.method = "GET",
                         .path = path,
                         .query = "",
                         .headers = headers,
                         .header_count = 1,
                         .reply = &reply};
    struct s3_request r = {.x = &x};
    reply_init(&reply);
    arena_init(&x.arena, 1 << 20);
    int result = s3_address(&r);
    snprintf(out, 2048, "%s %s", r.bucket ? r.bucket : "-", r.key ? r.key : "-");
    reply_finish(&reply);
    arena_finish(&x.arena);
    return result;
}

static void addresses(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"127.0.0.1:4566", "/", "- -"},
        {"127.0.0.1:4566", "/b", "b -"},
        {"127.0.0.1:4566", "/b/", "b -"},
        {"127.0.0.1:4566", "/b//k", "b /k"},
        {"127.0.0.1:4566", "/b/k/%C3%A9+", "b k/\xc3\xa9+"},
        {"b.localhost:4566", "/k/l", "b k/l"},
        {"b.localhost", "/", "b -"},
        {"s3.localhost:1", "/b/k", "b k"},
        {"b.c.s3.us-east-1.amazonaws.com", "/k", "b.c k"},
        {"b.s3-eu-west-1.amazonaws.com", "/k", "b k"},
        {"s3.us-east-1.amazonaws.com", "/b/k", "b k"},
    };
    char out[2048];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(address(rows[i][0], rows[i][1], out), 0);
        assert_string_equal(out, rows[i][2]);
    }
    assert_int_equal(address("x", "/b/%00", out), -1);
    assert_int_equal(address("x", "/b/%ff", out), -1);
    assert_int_equal(address("x", "//k", out), -1);
}

static void etag_lists(void **state)
{
    (void)state;
    assert_true(s3_etag_listed("*", "a"));
    assert_true(s3_etag_listed("\"b\", W/\"a\"", "a"));
    assert_true(s3_etag_listed("a", "a"));
    assert_false(s3_etag_listed("", "a"));
    assert_false(s3_etag_listed("\"ab\", \"\"", "a"));
}

static void numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "-1", "1x", " 1", "1000000000000000000000", "11"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(s3_number(wrong[i], 10), -1);
    assert_int_equal(s3_number("10", 10), 10);
}

static void times(void **state)
{
    (void)state;
    char text[S3_TIME_BYTES];
    int64_t unix_s;
    s3_http_time(784111777000, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(s3_read_http_time(forms[i], &unix_s), 0);
        assert_int_equal(unix_s, 784111777);
    }
    assert_int_equal(s3_read_http_time("yesterday", &unix_s), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_bucket_names),
        cmocka_unit_test(addresses),
        cmocka_unit_test(etag_lists),
        cmocka_unit_test(numbers),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
