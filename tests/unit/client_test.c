#include "aws/apigateway.h"
#include "aws/client.h"
#include "aws/cloudwatch.h"
#include "aws/dynamodb.h"
#include "aws/iam.h"
#include "aws/lambda.h"
#include "aws/runtime.h"
#include "aws/s3.h"
#include "base/clock.h"
#include "script_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The clients against a server that plays a script; built with each transport. */

#define OK(body)                                                                                   \
    {                                                                                              \
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body, 0, CLOSE                              \
    }
#define STATUS(status, body)                                                                       \
    {                                                                                              \
        "HTTP/1.1 " status " x\r\nConnection: close\r\n\r\n" body, 0, CLOSE                        \
    }

struct fixture {
    struct server server;
    struct aws_client *client;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct aws_config config = {"eu-west-1", "AKIDEXAMPLE", "secret", "to/ken", {""}};
    if (server_listen(&f->server) < 0)
        return -1;
    for (int i = 0; i < AWS_SERVICES; i++)
        snprintf(config.endpoints[i], sizeof config.endpoints[i], "http://127.0.0.1:%d",
                 f->server.port);
    f->client = aws_client_create(&config, &f->err);
    *state = f;
    return f->client ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    server_stop(&f->server);
    aws_client_destroy(f->client);
    free(f);
    return 0;
}

#define START(f, ...)                                                                              \
    static const struct act acts[] = {__VA_ARGS__};                                                \
    assert_int_equal(server_start(&(f)->server, acts, sizeof acts / sizeof *acts), 0)

static size_t requests(struct fixture *f)
{
    return atomic_load(&f->server.next_act);
}

static int get_object(struct fixture *f)
{
    return aws_s3_get_object(f->client, "b", "k+ é", aws_client_scratch(f->client), &f->err);
}

static void requests_are_signed_and_encoded(void **state)
{
    struct fixture *f = *state;
    START(f, OK("data"));
    assert_int_equal(get_object(f), 0);
    assert_string_equal(aws_client_scratch(f->client)->body.data, "data");
    const char *sent = f->server.last_request;
    assert_int_equal(strncmp(sent, "GET /b/k%2B%20%C3%A9 HTTP/1.1\r\n", 31), 0);
    assert_non_null(strstr(sent, "/eu-west-1/s3/aws4_request, SignedHeaders=host;"
                                 "x-amz-content-sha256;x-amz-date;x-amz-security-token, "));
    assert_non_null(strstr(sent, "\r\nX-Amz-Security-Token: to/ken\r\n"));
}

static void what_may_pass_is_tried_again(void **state)
{
    struct fixture *f = *state;
    START(f, STATUS("500", "<Error><Code>InternalError</Code></Error>"), STATUS("503", ""),
          STATUS("429", ""), OK("data"));
    assert_int_equal(get_object(f), 0);
    assert_int_equal(requests(f), 4);
}

static void tries_have_an_end(void **state)
{
    struct fixture *f = *state;
    START(f, STATUS("500", ""), STATUS("500", ""), STATUS("500", ""), STATUS("500", ""), OK(""));
    assert_int_equal(get_object(f), -1);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    assert_int_equal(requests(f), AWS_DEFAULT_TRIES);
}

#define SKEWED                                                                                     \
    {                                                                                              \
        "HTTP/1.1 403 x\r\nDate: Tue, 01 Jan 2030 00:00:00 GMT\r\nConnection: close\r\n\r\n"       \
        "<Error><Code>RequestTimeTooSkewed</Code></Error>",                                        \
            0, CLOSE                                                                               \
    }

static void a_wrong_clock_is_put_right_once(void **state)
{
    struct fixture *f = *state;
    START(f, SKEWED, OK("data"), OK("data"), SKEWED);
    assert_int_equal(get_object(f), 0);
    assert_int_equal(requests(f), 2);
    assert_non_null(strstr(f->server.last_request, "\r\nX-Amz-Date: 20300101T0000"));
    assert_int_equal(get_object(f), 0);
    assert_non_null(strstr(f->server.last_request, "\r\nX-Amz-Date: 20300101T0000"));
    assert_int_equal(get_object(f), -1);
    assert_int_equal(f->err.code, ERR_DENIED);
    assert_int_equal(requests(f), 4);
}

static void a_deadline_ends_every_call(void **state)
{
    struct fixture *f = *state;
    START(f, {NULL, 0, STALL});
    uint64_t start_ns = clock_monotonic_ns();
    aws_client_set_deadline(f->client, start_ns + 300 * 1000000ull);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(get_object(f), -1);
        assert_int_equal(f->err.code, ERR_TIMEOUT);
    }
    assert_int_equal(requests(f), 1);
    assert_in_range((uintmax_t)clock_ms_since(start_ns), 290, 1500);
}

static void what_will_not_pass_is_not_tried_again(void **state)
{
    struct fixture *f = *state;
    START(f, STATUS("404", "<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"),
          STATUS("403", "<Error><Code>AccessDenied</Code></Error>"), STATUS("501", ""),
          STATUS("307", ""));
    static const enum err_code codes[] = {ERR_NOT_FOUND, ERR_DENIED, ERR_UNSUPPORTED, ERR_INVALID};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(get_object(f), -1);
        assert_int_equal(f->err.code, codes[i]);
        assert_int_equal(requests(f), i + 1);
        if (i == 0)
            assert_string_equal(f->err.message, "GetObject: NoSuchKey: gone");
    }
}

static void wrong_names_never_leave(void **state)
{
    struct fixture *f = *state;
    char key[S3_MAX_KEY_BYTES + 2];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    struct http_response *response = aws_client_scratch(f->client);
    assert_int_equal(aws_s3_get_object(f->client, "", "k", response, &f->err), -1);
    assert_int_equal(f->err.code, ERR_INVALID);
    assert_int_equal(aws_s3_get_object(f->client, "b", "", response, &f->err), -1);
    assert_int_equal(aws_s3_get_object(f->client, "b", key, response, &f->err), -1);
    assert_int_equal(f->err.code, ERR_INVALID);
}

static void a_bucket_that_is_there_stays(void **state)
{
    struct fixture *f = *state;
    START(f, STATUS("200", ""), STATUS("404", ""), STATUS("200", ""), STATUS("404", ""),
          STATUS("409", "<Error><Code>BucketAlreadyOwnedByYou</Code></Error>"), STATUS("404", ""),
          STATUS("409", "<Error><Code>BucketAlreadyExists</Code></Error>"));
    assert_int_equal(aws_s3_create_bucket(f->client, "bbb", &f->err), 0);
    assert_int_equal(aws_s3_create_bucket(f->client, "bbb", &f->err), 1);
    assert_non_null(strstr(f->server.last_request, "<LocationConstraint>eu-west-1<"));
    assert_int_equal(aws_s3_create_bucket(f->client, "bbb", &f->err), 0);
    assert_int_equal(aws_s3_create_bucket(f->client, "bbb", &f->err), -1);
    assert_int_equal(f->err.code, ERR_EXISTS);
}

static int get_item(struct fixture *f, struct buf *plain)
{
    buf_clear(plain);
    return aws_dynamodb_get_item(f->client, "t\"", "name", "a\\b", plain, &f->err);
}

static void items_are_found_absent_or_refused(void **state)
{
    struct fixture *f = *state;
    struct buf plain;
    buf_init(&plain, 1000);
    START(f, OK("{\"Item\":{\"name\":{\"S\":\"a\"},\"id\":{\"N\":\"1.50\"}}}"), OK("{}"), OK(""),
          OK("{\"Item\":{\"name\":\"a\"}}"), OK("{\"Item\":[]}"), OK("{\"Item\":"), OK("[1]"),
          STATUS("400", "{\"__type\":\"x#ResourceNotFoundException\"}"));
    assert_int_equal(get_item(f, &plain), 1);
    assert_string_equal(plain.data, "{\"name\": \"a\", \"id\": 1.50}");
    assert_non_null(strstr(f->server.last_request,
                           "{\"TableName\":\"t\\\"\",\"Key\":{\"name\":{\"S\":\"a\\\\b\"}}}"));
    assert_int_equal(get_item(f, &plain), 0);
    assert_int_equal(get_item(f, &plain), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get_item(f, &plain), -1);
        assert_int_equal(f->err.code, ERR_CORRUPT);
    }
    assert_int_equal(get_item(f, &plain), 0);
    assert_int_equal(get_item(f, &plain), -1);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    buf_finish(&plain);
}

static void unprocessed_items_are_sent_again(void **state)
{
    struct fixture *f = *state;
    static const char *const items[] = {"{\"name\":{\"S\":\"a\"}}", "{\"name\":{\"S\":\"b\"}}"};
    START(
        f,
        OK("{\"UnprocessedItems\":{\"t\":[{\"PutRequest\":{\"Item\":{\"name\":{\"S\":\"b\"}}}}]}}"),
        OK("{\"UnprocessedItems\":{}}"));
    assert_int_equal(aws_dynamodb_put_batch(f->client, "t", items, 2, &f->err), 0);
    assert_int_equal(requests(f), 2);
    assert_non_null(strstr(f->server.last_request, "\"S\":\"b\""));
    assert_null(strstr(f->server.last_request, "\"S\":\"a\""));
}

static int count_item(void *context, const json_t *item, struct err *err)
{
    (void)item;
    (void)err;
    return ++*(int *)context, 0;
}

static void scans_follow_the_pages(void **state)
{
    struct fixture *f = *state;
    int count = 0;
    START(f, OK("{\"Items\":[{},{}],\"LastEvaluatedKey\":{\"name\":{\"S\":\"x\"}}}"),
          OK("{\"Items\":[{}]}"));
    struct aws_dynamodb_reader reader = {count_item, &count};
    assert_int_equal(aws_dynamodb_scan(f->client, "t", &reader, &f->err), 0);
    assert_int_equal(count, 3);
    assert_non_null(
        strstr(f->server.last_request, "\"ExclusiveStartKey\":{\"name\":{\"S\":\"x\"}}"));
}

static struct lambda_function a_function(json_t **environment)
{
    *environment = json_pack("{s:s}", "A", "b");
    return (struct lambda_function){.name = "f",
                                    .role = "r",
                                    .runtime = "provided.al2023",
                                    .handler = "bootstrap",
                                    .architecture = "x86_64",
                                    .memory_mb = 128,
                                    .timeout_s = 3,
                                    .environment = *environment,
                                    .code = {.zip = "zip", .zip_bytes = 3}};
}

#define CONFIGURATION(memory)                                                                      \
    OK("{\"FunctionArn\":\"arn:aws:lambda:eu-west-1:1:function:f\",\"State\":\"Active\","          \
       "\"CodeSha256\":\"SnD+mqZDbgLC3qNA+9HjUuTvLYzmylKtJdS5VHH8i/I=\",\"Role\":\"r\","           \
       "\"Runtime\":\"provided.al2023\",\"Handler\":\"bootstrap\",\"Timeout\":3,"                  \
       "\"MemorySize\":" memory                                                                    \
       ",\"Environment\":{\"Variables\":{\"A\":\"b\"}},\"Architectures\":[\"x86_64\"]}")

static int put_function(struct fixture *f)
{
    json_t *environment;
    char arn[100];
    struct lambda_function function = a_function(&environment);
    int done = aws_lambda_put_function(f->client, &function, 5000, arn, sizeof arn, &f->err);
    json_decref(environment);
    return done;
}

static void a_function_changes_only_where_it_differs(void **state)
{
    struct fixture *f = *state;
    START(f, CONFIGURATION("128"), CONFIGURATION("128"), CONFIGURATION("128"), CONFIGURATION("256"),
          OK("{}"), CONFIGURATION("128"), CONFIGURATION("128"));
    assert_int_equal(put_function(f), 0);
    assert_int_equal(requests(f), 3);
    assert_int_equal(put_function(f), LAMBDA_CONFIGURATION);
    assert_int_equal(requests(f), 7);
}

static void an_absent_function_is_made(void **state)
{
    struct fixture *f = *state;
    START(f, STATUS("404", "{\"Type\":\"User\"}"), STATUS("201", "{}"),
          OK("{\"State\":\"Pending\"}"), CONFIGURATION("128"), CONFIGURATION("128"));
    assert_int_equal(put_function(f), LAMBDA_CREATED);
    assert_int_equal(requests(f), 5);
}

static void a_failed_function_is_an_error(void **state)
{
    struct fixture *f = *state;
    START(f, STATUS("404", ""), STATUS("201", "{}"),
          OK("{\"State\":\"Failed\",\"StateReason\":\"no space\"}"));
    assert_int_equal(put_function(f), -1);
    assert_non_null(strstr(f->err.message, "no space"));
}

static void ids_from_outside_do_not_reach_paths(void **state)
{
    struct fixture *f = *state;
    char id[APIGATEWAY_ID_BYTES];
    START(f, OK("{\"item\":[{\"name\":\"ken\",\"id\":\"../x\"}]}"),
          OK("{\"item\":[{\"name\":\"ken\",\"id\":5}]}"), OK("{\"item\":[{\"name\":\"ken\"}]}"),
          OK("{\"items\":[{\"name\":\"ken\",\"id\":\"a1b2\"}]}"), OK("{\"item\":{}}"),
          STATUS("201", "{\"id\":\"new1\"}"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(aws_apigateway_put_api(f->client, "ken", id, &f->err), -1);
        assert_int_equal(f->err.code, ERR_CORRUPT);
    }
    assert_int_equal(aws_apigateway_put_api(f->client, "ken", id, &f->err), 0);
    assert_string_equal(id, "a1b2");
    assert_int_equal(aws_apigateway_put_api(f->client, "ken", id, &f->err), 1);
    assert_string_equal(id, "new1");
}

static void a_key_gets_into_the_plan_of_its_stage(void **state)
{
    struct fixture *f = *state;
    char key[APIGATEWAY_KEY_BYTES];
    START(f, OK("{\"item\":[{\"name\":\"ken\",\"id\":\"k1\",\"value\":\"secret\"}]}"),
          OK("{\"item\":[{\"name\":\"ken\",\"id\":\"p1\",\"apiStages\":[{\"apiId\":\"old\","
             "\"stage\":\"prod\"}]}]}"),
          OK("{}"), STATUS("409", "{\"__type\":\"ConflictException\"}"), OK("{}"),
          STATUS("201", "{\"value\":\"x\"}"));
    assert_int_equal(aws_apigateway_put_key(f->client, "ken", "new", "prod", key, &f->err), 0);
    assert_string_equal(key, "secret");
    assert_int_equal(requests(f), 4);
    assert_int_equal(aws_apigateway_put_key(f->client, "ken", "new", "prod", key, &f->err), -1);
    assert_int_equal(f->err.code, ERR_CORRUPT);
}

static void sums_and_roles_are_read(void **state)
{
    struct fixture *f = *state;
    double sum = -1;
    char arn[IAM_ARN_BYTES];
    struct cloudwatch_query query = {"AWS/Lambda", "Invocations", "FunctionName", "f", 0, 600};
    START(f, OK("{\"Datapoints\":[{\"Sum\":5.0},{\"Sum\":2},{\"x\":1}]}"), OK("{}"), OK("<x/>"),
          OK("<R><Arn>arn:aws:iam::1:role/f</Arn></R>"), OK(""));
    assert_int_equal(aws_cloudwatch_sum(f->client, &query, &sum, &f->err), 0);
    assert_true(sum == 7);
    assert_int_equal(aws_cloudwatch_sum(f->client, &query, &sum, &f->err), 0);
    assert_true(sum == 0);
    assert_int_equal(aws_iam_put_function_role(f->client, "f", "{}", arn, &f->err), -1);
    assert_int_equal(f->err.code, ERR_CORRUPT);
    assert_int_equal(aws_iam_put_function_role(f->client, "f", "{}", arn, &f->err), 0);
    assert_string_equal(arn, "arn:aws:iam::1:role/f");
}

static void runtime_events_need_an_id(void **state)
{
    struct fixture *f = *state;
    char api[64];
    struct runtime_event event;
    START(f, OK("{}"),
          {"HTTP/1.1 200 OK\r\nConnection: close\r\nLambda-Runtime-Aws-Request-Id: a/../b\r\n"
           "Content-Length: 2\r\n\r\n{}",
           0, CLOSE},
          STATUS("500", ""),
          {"HTTP/1.1 200 OK\r\nConnection: close\r\nLambda-Runtime-Aws-Request-Id: a-1\r\n"
           "Lambda-Runtime-Deadline-Ms: 5\r\nContent-Length: 2\r\n\r\n{}",
           0, CLOSE},
          STATUS("202", ""), STATUS("413", ""), STATUS("202", ""));
    snprintf(api, sizeof api, "127.0.0.1:%d", f->server.port);
    struct runtime *runtime = runtime_create(api, &f->err);
    assert_non_null(runtime);
    for (int i = 0; i < 3; i++)
        assert_int_equal(runtime_next(runtime, &event, &f->err), -1);
    assert_int_equal(runtime_next(runtime, &event, &f->err), 0);
    assert_string_equal(event.request_id, "a-1");
    assert_string_equal(event.data, "{}");
    assert_true(event.deadline_unix_ms == 5);
    assert_int_equal(runtime_respond(runtime, "a-1", "{}", 2, &f->err), 0);
    assert_int_equal(runtime_respond(runtime, "a-1", "{}", 2, &f->err), -1);
    assert_int_equal(runtime_fail_init(runtime, "Ken.X", "cannot \"start\"", &f->err), 0);
    assert_non_null(strstr(f->server.last_request, "POST /2018-06-01/runtime/init/error "));
    assert_non_null(strstr(f->server.last_request, "\"errorMessage\":\"cannot \\\"start\\\"\""));
    runtime_destroy(runtime);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_are_signed_and_encoded),
        TEST(what_may_pass_is_tried_again),
        TEST(tries_have_an_end),
        TEST(a_wrong_clock_is_put_right_once),
        TEST(a_deadline_ends_every_call),
        TEST(what_will_not_pass_is_not_tried_again),
        TEST(wrong_names_never_leave),
        TEST(a_bucket_that_is_there_stays),
        TEST(items_are_found_absent_or_refused),
        TEST(unprocessed_items_are_sent_again),
        TEST(scans_follow_the_pages),
        TEST(a_function_changes_only_where_it_differs),
        TEST(an_absent_function_is_made),
        TEST(a_failed_function_is_an_error),
        TEST(ids_from_outside_do_not_reach_paths),
        TEST(a_key_gets_into_the_plan_of_its_stage),
        TEST(sums_and_roles_are_read),
        TEST(runtime_events_need_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
