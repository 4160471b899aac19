#include "aws/attribute.h"
#include "aws/client.h"
#include "aws/config.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- attributes ---- */

static void typed_form_keeps_every_digit(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf out, back;
    static const char plain[] =
        " {\"n\": 12345678901234567890.10, \"e\":-1E+5, \"s\": \"a\\\"\\u00e9{,\", \"b\":true ,"
        "\"z\":null,\"l\":[ 1,[],\"x\"], \"m\":{\"k\":{}} } ";
    buf_init(&out, 10000);
    buf_init(&back, 10000);
    assert_int_equal(attribute_from_plain(plain, sizeof plain - 1, &out, &err), 0);
    assert_string_equal(out.data,
                        "{\"n\":{\"N\":\"12345678901234567890.10\"},\"e\":{\"N\":\"-1E+5\"},"
                        "\"s\":{\"S\":\"a\\\"\\u00e9{,\"},\"b\":{\"BOOL\":true},"
                        "\"z\":{\"NULL\":true},\"l\":{\"L\":[{\"N\":\"1\"},{\"L\":[]},"
                        "{\"S\":\"x\"}]},\"m\":{\"M\":{\"k\":{\"M\":{}}}}}");
    json_t *item = json_loads(out.data, 0, NULL);
    assert_non_null(item);
    assert_int_equal(attribute_to_plain(item, &back, &err), 0);
    assert_string_equal(back.data,
                        "{\"n\": 12345678901234567890.10, \"e\": -1E+5, \"s\": \"a\\\"é{,\", "
                        "\"b\": true, \"z\": null, \"l\": [1, [], \"x\"], \"m\": {\"k\": {}}}");
    json_decref(item);
    buf_finish(&out);
    buf_finish(&back);
}

static void a_member_is_found_as_it_was_written(void **state)
{
    (void)state;
    static const char plain[] =
        " { \"a\" : {\"id\": [\"}\", 1]},\"t\":\"x\\\"\\\\\", \"id\": 0.10 ,"
        "\"n\":null}";
    static const struct {
        const char *name, *value;
    } wanted[] = {{"a", "{\"id\": [\"}\", 1]}"},
                  {"t", "\"x\\\"\\\\\""},
                  {"id", "0.10"},
                  {"n", "null"},
                  {"i", NULL},
                  {"x", NULL}};
    size_t size = 0;
    for (size_t i = 0; i < COUNT(wanted); i++) {
        const char *value = attribute_plain_member(plain, sizeof plain - 1, wanted[i].name, &size);
        assert_int_equal(!value, !wanted[i].value);
        if (value) {
            assert_int_equal(size, strlen(wanted[i].value));
            assert_memory_equal(value, wanted[i].value, size);
        }
    }
    assert_null(attribute_plain_member("{}", 2, "a", &size));
    assert_null(attribute_plain_member("", 0, "a", &size));
    assert_null(attribute_plain_member("[1]", 3, "a", &size));
}

static void records_that_are_no_object_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "[]",
                                        "1",
                                        "{\"a\":1",
                                        "{\"a\" 1}",
                                        "{a:1}",
                                        "{\"a\":}",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"a\":01}",
                                        "{} {}",
                                        "{\"a\":\"\xff\"}"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct err err = {0};
        struct buf out;
        buf_init(&out, 1000);
        assert_int_equal(attribute_from_plain(wrong[i], strlen(wrong[i]), &out, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        buf_finish(&out);
    }
}

static void records_too_deep_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf text, out;
    buf_init(&text, 10000);
    buf_init(&out, 100000);
    buf_puts(&text, "{\"a\":");
    for (int i = 0; i < 100; i++)
        buf_puts(&text, "[");
    for (int i = 0; i < 100; i++)
        buf_puts(&text, "]");
    buf_puts(&text, "}");
    assert_int_equal(attribute_from_plain(text.data, text.size, &out, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    buf_finish(&text);
    buf_finish(&out);
}

static void items_that_are_no_attributes_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[]",
        "{\"a\": 1}",
        "{\"a\": {}}",
        "{\"a\": {\"S\": \"x\", \"N\": \"1\"}}",
        "{\"a\": {\"S\": 1}}",
        "{\"a\": {\"N\": 1}}",
        "{\"a\": {\"N\": \"1,2\"}}",
        "{\"a\": {\"N\": \"\"}}",
        "{\"a\": {\"N\": \"NaN\"}}",
        "{\"a\": {\"N\": \"01\"}}",
        "{\"a\": {\"BOOL\": \"true\"}}",
        "{\"a\": {\"L\": {}}}",
        "{\"a\": {\"L\": [1]}}",
        "{\"a\": {\"M\": []}}",
        "{\"a\": {\"SS\": [1]}}",
        "{\"a\": {\"X\": \"1\"}}",
        "{\"a\": {\"\": \"1\"}}",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct err err = {0};
        struct buf out;
        buf_init(&out, 1000);
        json_t *item = json_loads(wrong[i], 0, NULL);
        assert_non_null(item);
        assert_int_equal(attribute_to_plain(item, &out, &err), -1);
        assert_int_equal(err.code, ERR_CORRUPT);
        json_decref(item);
        buf_finish(&out);
    }
}

static void sets_become_lists(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf out;
    buf_init(&out, 1000);
    json_t *item = json_loads("{\"a\":{\"NS\":[\"1\",\"2.50\"]},\"b\":{\"B\":\"AA==\"}}", 0, NULL);
    assert_int_equal(attribute_to_plain(item, &out, &err), 0);
    assert_string_equal(out.data, "{\"a\": [1, 2.50], \"b\": \"AA==\"}");
    json_decref(item);
    buf_finish(&out);
}

/* ---- error answers ---- */

static void read_failure(int status, const char *headers, const char *body,
                         struct aws_failure *failure)
{
    struct http_response response;
    http_response_init(&response);
    response.status = status;
    buf_puts(&response.headers, headers);
    buf_puts(&response.body, body);
    aws_failure_read(&response, failure);
    http_response_finish(&response);
}

static void failures_are_read_from_every_protocol(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *headers, *body, *code, *message;
        enum err_code kind;
    } cases[] = {
        {404, "",
         "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>no &lt;key&gt; &amp;"
         "</Message></Error>",
         "NoSuchKey", "no <key> &", ERR_NOT_FOUND},
        {403, "", "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error>",
         "AccessDenied", "", ERR_DENIED},
        {400, "",
         "{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"Message\":\"no\"}",
         "AccessDeniedException", "no", ERR_DENIED},
        {400, "",
         "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\","
         "\"message\":\"no\\ntable\"}",
         "ResourceNotFoundException", "no table", ERR_NOT_FOUND},
        {409, "x-amzn-ErrorType: ResourceConflictException:http://internal/\n",
         "{\"Type\":\"User\",\"Message\":\"exists\"}", "ResourceConflictException", "exists",
         ERR_EXISTS},
        {400, "", "{\"__type\":\"ThrottlingException\"}", "ThrottlingException", "", ERR_BUSY},
        {429, "", "", "", "", ERR_BUSY},
        {502, "", "not found at all", "", "", ERR_UNAVAILABLE},
        {400, "", "{\"message\":", "", "", ERR_INVALID},
        {400, "", "{\"message\": 5, \"__type\": []}", "", "", ERR_INVALID},
        {404, "", "<Error><Code>", "", "", ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct aws_failure failure;
        read_failure(cases[i].status, cases[i].headers, cases[i].body, &failure);
        assert_string_equal(failure.code, cases[i].code);
        assert_string_equal(failure.message, cases[i].message);
        assert_int_equal(aws_failure_kind(&failure), cases[i].kind);
    }
}

/* ---- configuration ---- */

static int clear_variables(void **state)
{
    (void)state;
    static const char *const names[] = {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",       "AWS_SESSION_TOKEN",
        "AWS_PROFILE",       "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION",
        "AWS_ENDPOINT_URL",  "AWS_DEFAULT_REGION",          "AWS_ENDPOINT_URL_S3",
        "AWS_CONFIG_FILE"};
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    setenv("HOME", "/nonexistent", 1);
    return 0;
}

static void config_without_credentials_says_what_to_set(void **state)
{
    (void)state;
    struct aws_config config;
    struct err err = {0};
    assert_int_equal(aws_config_load(&config, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "AWS_ACCESS_KEY_ID"));
    setenv("AWS_ACCESS_KEY_ID", "only-half", 1);
    assert_int_equal(aws_config_load(&config, &err), -1);
}

static void config_comes_from_variables(void **state)
{
    (void)state;
    struct aws_config config;
    struct err err = {0};
    char url[300];
    setenv("AWS_ACCESS_KEY_ID", "id", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    assert_int_equal(aws_config_load(&config, &err), 0);
    assert_string_equal(config.region, "us-east-1");
    assert_int_equal(aws_config_endpoint(&config, AWS_LAMBDA, url, sizeof url, &err), 0);
    assert_string_equal(url, "https://lambda.us-east-1.amazonaws.com");
    assert_int_equal(aws_config_endpoint(&config, AWS_IAM, url, sizeof url, &err), 0);
    assert_string_equal(url, "https://iam.amazonaws.com");
    setenv("AWS_DEFAULT_REGION", "eu-west-1", 1);
    setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/", 1);
    setenv("AWS_ENDPOINT_URL_S3", "http://ceph", 1);
    assert_int_equal(aws_config_load(&config, &err), 0);
    assert_string_equal(config.region, "eu-west-1");
    assert_int_equal(aws_config_endpoint(&config, AWS_LAMBDA, url, sizeof url, &err), 0);
    assert_string_equal(url, "http://127.0.0.1:4566");
    assert_int_equal(aws_config_endpoint(&config, AWS_S3, url, sizeof url, &err), 0);
    assert_string_equal(url, "http://ceph");
    assert_string_equal(aws_service_region(&config, AWS_IAM), "us-east-1");
}

static void an_engine_beside_has_a_key_of_its_own(void **state)
{
    (void)state;
    struct aws_config config;
    struct err err = {0};
    setenv("AWS_ACCESS_KEY_ID", "id", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    setenv("KEN_S3_ACCESS_KEY_ID", "other", 1);
    assert_int_equal(aws_config_load(&config, &err), -1); /* half of a key */
    assert_non_null(strstr(err.message, "KEN_S3_SECRET_ACCESS_KEY"));
    setenv("KEN_S3_SECRET_ACCESS_KEY", "another", 1);
    assert_int_equal(aws_config_load(&config, &err), 0);
    assert_string_equal(config.own_keys[AWS_S3].access_key_id, "other");
    assert_string_equal(config.own_keys[AWS_S3].secret_access_key, "another");
    assert_string_equal(config.own_keys[AWS_DYNAMODB].access_key_id, "");
    assert_string_equal(config.access_key_id, "id");
    unsetenv("KEN_S3_ACCESS_KEY_ID");
    unsetenv("KEN_S3_SECRET_ACCESS_KEY");
}

static void config_comes_from_the_profile_of_the_file(void **state)
{
    (void)state;
    static const char text[] = "# comment\n[default]\naws_access_key_id=wrong\n"
                               "aws_secret_access_key=wrong\r\n\n[ me ]\r\n"
                               "aws_access_key_id = AKID\r\naws_secret_access_key = a/b+c=\n"
                               ";aws_session_token = no\n[other]\naws_access_key_id=x\n"
                               "[profile]\naws_access_key_id=y\naws_secret_access_key=z\n";
    struct aws_config config;
    struct err err = {0};
    char path[] = "/tmp/ken-credentials-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    setenv("AWS_PROFILE", "me", 1);
    assert_int_equal(aws_config_load(&config, &err), 0);
    assert_string_equal(config.access_key_id, "AKID");
    assert_string_equal(config.secret_access_key, "a/b+c=");
    assert_string_equal(config.session_token, "");
    setenv("AWS_PROFILE", "absent", 1);
    assert_int_equal(aws_config_load(&config, &err), -1);
    assert_non_null(strstr(err.message, "no profile absent"));
    setenv("AWS_PROFILE", "other", 1);
    assert_int_equal(aws_config_load(&config, &err), -1);
    assert_non_null(strstr(err.message, "profile other holds no keys"));
    setenv("AWS_PROFILE", "profile", 1); /* a name like any other */
    assert_int_equal(aws_config_load(&config, &err), 0);
    assert_string_equal(config.access_key_id, "y");
    unlink(path);
}

static void region_and_endpoint_come_from_the_config_file(void **state)
{
    (void)state;
    static const char text[] = "[default]\nregion = wrong\n[profile me]\nregion = eu-west-1\n"
                               "s3 =\n  addressing_style = path\n  region = nested\n"
                               "endpoint_url = http://127.0.0.1:4566/\n"
                               "aws_access_key_id = AKID\naws_secret_access_key = secret\n"
                               "[profile me-too]\nregion = wrong\n";
    struct aws_config config;
    struct err err = {0};
    char path[] = "/tmp/ken-config-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    setenv("AWS_CONFIG_FILE", path, 1);
    setenv("AWS_PROFILE", "me", 1);
    assert_int_equal(aws_config_load(&config, &err), 0);
    assert_string_equal(config.region, "eu-west-1");
    assert_string_equal(config.endpoints[AWS_S3], "http://127.0.0.1:4566");
    assert_string_equal(config.access_key_id, "AKID");
    setenv("AWS_ENDPOINT_URL", "http://elsewhere", 1); /* variables win */
    setenv("AWS_REGION", "eu-north-1", 1);
    assert_int_equal(aws_config_load(&config, &err), 0);
    assert_string_equal(config.region, "eu-north-1");
    assert_string_equal(config.endpoints[AWS_S3], "http://elsewhere");
    unlink(path);
}

static void config_past_its_limits_is_refused(void **state)
{
    (void)state;
    struct aws_config config;
    struct err err = {0};
    char huge[5000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = 0;
    setenv("AWS_ACCESS_KEY_ID", "id", 1);
    setenv("AWS_SECRET_ACCESS_KEY", huge, 1);
    assert_int_equal(aws_config_load(&config, &err), -1);
    assert_int_equal(err.code, ERR_TOO_BIG);
    assert_null(strstr(err.message, "xxx"));
}

#define CONFIG_TEST(name) cmocka_unit_test_setup(name, clear_variables)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_form_keeps_every_digit),
        cmocka_unit_test(a_member_is_found_as_it_was_written),
        cmocka_unit_test(records_that_are_no_object_are_refused),
        cmocka_unit_test(records_too_deep_are_refused),
        cmocka_unit_test(items_that_are_no_attributes_are_refused),
        cmocka_unit_test(sets_become_lists),
        cmocka_unit_test(failures_are_read_from_every_protocol),
        CONFIG_TEST(config_without_credentials_says_what_to_set),
        CONFIG_TEST(config_comes_from_variables),
        CONFIG_TEST(an_engine_beside_has_a_key_of_its_own),
        CONFIG_TEST(config_comes_from_the_profile_of_the_file),
        CONFIG_TEST(region_and_endpoint_come_from_the_config_file),
        CONFIG_TEST(config_past_its_limits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
