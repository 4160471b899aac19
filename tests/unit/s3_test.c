#include "cloud/reply.h"
#include "cloud/s3/lifecycle.h"
#include "cloud/s3/post_policy.h"
#include "cloud/s3/write.h"

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
        {"127.0.0.1:4566", "/bkt", "bkt -"},
        {"127.0.0.1:4566", "/bkt/", "bkt -"},
        {"127.0.0.1:4566", "/bkt//k", "bkt /k"},
        {"127.0.0.1:4566", "/bkt/k/%C3%A9+", "bkt k/\xc3\xa9+"},
        {"bkt.localhost:4566", "/k/l", "bkt k/l"},
        {"bkt.localhost", "/", "bkt -"},
        {"s3.localhost:1", "/bkt/k", "bkt k"},
        {"b.c.s3.us-east-1.amazonaws.com", "/k", "b.c k"},
        {"bkt.s3-eu-west-1.amazonaws.com", "/k", "bkt k"},
        {"s3.us-east-1.amazonaws.com", "/bkt/k", "bkt k"},
    };
    char out[2048];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(address(rows[i][0], rows[i][1], out), 0);
        assert_string_equal(out, rows[i][2]);
    }
    assert_int_equal(address("x", "/bkt/%00", out), -1);
    assert_int_equal(address("x", "/bkt/%ff", out), -1);
    assert_int_equal(address("x", "//k", out), -1);
    assert_int_equal(address("x", "/b/k", out), -1);
    assert_int_equal(address("x", "/b%2Bt/k", out), -1);
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

static void version_ids_hold_their_sequence(void **state)
{
    (void)state;
    char one[S3_VERSION_BYTES], two[S3_VERSION_BYTES];
    s3_version_make(1795430000000000, one);
    s3_version_make(1795430000000000, two);
    assert_int_equal(strlen(one), S3_VERSION_BYTES - 1);
    assert_string_not_equal(one, two);
    assert_int_equal(s3_version_sequence(one), 1795430000000000);
    assert_int_equal(s3_version_sequence("null"), -1);
    assert_int_equal(s3_version_sequence(""), -1);
    assert_int_equal(s3_version_sequence("99999999999999999999999999999999"), -1);
    assert_int_equal(s3_version_sequence("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), -1);
}

static void tags_in_their_kept_form(void **state)
{
    (void)state;
    assert_int_equal(s3_tag_count(""), 0);
    assert_int_equal(s3_tag_count("a=1&b="), 2);
    assert_true(s3_tags_have("a%20b=1%262&c=", "a b", "1&2"));
    assert_true(s3_tags_have("a%20b=1%262&c=", "c", ""));
    assert_true(s3_tags_have("c=x", "c", NULL));
    assert_false(s3_tags_have("c=x", "c", ""));
    assert_false(s3_tags_have("ca=x", "c", NULL));
    assert_false(s3_tags_have("", "c", NULL));
}

static void parts_of_an_object(void **state)
{
    (void)state;
    struct s3_part_place place;
    const struct meta_object whole = {.parts = "", .size = 7};
    const struct meta_object parts = {.parts = "2 5 -\n4 1 AAAA\n9 3 -\n", .size = 9};
    assert_int_equal(s3_part_count(&whole), 0);
    assert_int_equal(s3_part_at(&whole, 1, &place), 0);
    assert_int_equal(place.size, 7);
    assert_int_equal(s3_part_at(&whole, 2, &place), -1);
    assert_int_equal(s3_part_count(&parts), 3);
    assert_int_equal(s3_part_at(&parts, 3, &place), 0);
    assert_int_equal(place.offset, 6);
    assert_int_equal(place.size, 3);
    assert_string_equal(place.checksum, "");
    assert_int_equal(s3_part_at(&parts, 2, &place), 0);
    assert_string_equal(place.checksum, "AAAA");
    assert_int_equal(s3_part_at(&parts, 4, &place), -1);
}

static void ends_of_days(void **state)
{
    (void)state;
    const int64_t day = 24 * 3600 * 1000;
    const struct s3 usual = {.day_ms = day}, quick = {.day_ms = 1000};
    assert_int_equal(lifecycle_days_end_ms(&usual, NULL, 5), -1);
    assert_int_equal(lifecycle_days_end_ms(&usual, "1", day), 2 * day);
    assert_int_equal(lifecycle_days_end_ms(&usual, "1", day + 1), 3 * day);
    assert_int_equal(lifecycle_days_end_ms(&quick, "2", 5), 2005);
}

static int check_policy(const char *policy, const char *key)
{
    static const char form_text[] =
        "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n%s\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--\r\n";
    char text[512];
    struct post_form form = {0};
    const struct post_request request = {&form, "bucket", 1795430000000};
    struct post_limits limits;
    struct err err = {0};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    int size = snprintf(text, sizeof text, form_text, key);
    assert_true(post_form_boundary("multipart/form-data; boundary=\"b\"", &form));
    assert_int_equal(post_form_read(&form, &arena, text, (size_t)size, &err), 0);
    assert_true(form.has_file);
    int result = post_policy_check(policy, strlen(policy), &request, &limits, &err);
    arena_finish(&arena);
    return result == 0 ? 0 : (int)err.code;
}

static void policies_of_forms(void **state)
{
    (void)state;
#define UNTIL "{\"expiration\": \"2999-01-01T00:00:00Z\", \"conditions\": [{\"bucket\": \"bucket\"}"
    static const char key[] = UNTIL ", {\"key\": \"k\"}]}";
    static const char start[] = UNTIL ", [\"starts-with\", \"$key\", \"a/\"]]}";
    static const char other[] = UNTIL ", [\"eq\", \"$key\", \"b\"],"
                                      " [\"starts-with\", \"$other\", \"x\"]]}";
    static const char no_bucket[] =
        "{\"expiration\": \"2999-01-01T00:00:00Z\", \"conditions\": [{\"key\": \"k\"}]}";
    assert_int_equal(check_policy("", "k"), ERR_INVALID);
    assert_int_equal(check_policy("[]", "k"), ERR_INVALID);
    assert_int_equal(check_policy(UNTIL "]}", "k"), ERR_DENIED);
    assert_int_equal(check_policy(no_bucket, "k"), ERR_DENIED);
    assert_int_equal(check_policy(key, "k"), 0);
    assert_int_equal(check_policy(key, "l"), ERR_DENIED);
    assert_int_equal(check_policy(start, "a/b"), 0);
    assert_int_equal(check_policy(start, "b"), ERR_DENIED);
    assert_int_equal(check_policy(other, "b"), ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_bucket_names),
        cmocka_unit_test(addresses),
        cmocka_unit_test(etag_lists),
        cmocka_unit_test(numbers),
        cmocka_unit_test(times),
        cmocka_unit_test(version_ids_hold_their_sequence),
        cmocka_unit_test(tags_in_their_kept_form),
        cmocka_unit_test(parts_of_an_object),
        cmocka_unit_test(ends_of_days),
        cmocka_unit_test(policies_of_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
