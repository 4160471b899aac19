#include "base/file.h"
#include "cloud/access.h"
#include "cloud/dynamodb/service.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The service behind a false front: the few functions of an exchange that it calls. */

struct call {
    struct exchange x; /* first: an exchange is a call */
    const char *target;
    int status, has_crc;
    json_t *answer;
    int denies, answers; /* access is denied; how often it was answered */
    char asked[256];     /* the last question of access: "dynamodb:GetItem arn:.." */
};

const char *exchange_header(const struct exchange *x, const char *name)
{
    return strcmp(name, "X-Amz-Target") ? NULL : ((const struct call *)x)->target;
}

const char *exchange_body(struct exchange *x, struct err *err)
{
    (void)err;
    return x->body.data;
}

void exchange_reply_header(struct exchange *x, const char *name, const char *value)
{
    ((struct call *)x)->has_crc |= !strcmp(name, "x-amz-crc32") && *value;
}

void exchange_respond(struct exchange *x, int status, const char *content_type, const void *data,
                      size_t size)
{
    struct call *call = (struct call *)x;
    assert_string_equal(content_type, "application/x-amz-json-1.0");
    call->status = status;
    call->answers++;
    call->answer = json_loadb(data, size, JSON_ALLOW_NUL, NULL);
}

int exchange_admit_tree(struct exchange *x, const char *text, size_t size, struct err *err)
{
    (void)x, (void)text, (void)size, (void)err;
    return 0;
}

int exchange_to_worker(struct exchange *x)
{
    (void)x;
    return 0; /* a worker it is */
}

int exchange_authorize(struct exchange *x, const char *action, const char *resource)
{
    struct call *call = (struct call *)x;
    snprintf(call->asked, sizeof call->asked, "%s %s", action, resource);
    if (!call->denies)
        return 0;
    exchange_respond(x, 400, "application/x-amz-json-1.0", "{\"denied\":true}", 15);
    return -1;
}

struct fixture {
    char folder[64], path[128];
    struct dynamodb *service;
};

/* The answer, to be released; its status must be `status`. */
static json_t *run(struct fixture *f, int status, const char *operation, const char *body)
{
    char target[64];
    struct call call = {.target = target};
    snprintf(target, sizeof target, "DynamoDB_20120810.%s", operation);
    arena_init(&call.x.arena, 64 << 20);
    call.x.body.data = body;
    call.x.body.size = strlen(body);
    dynamodb_handle(f->service, &call.x);
    arena_finish(&call.x.arena);
    if (call.status != status)
        fail_msg("%s %s: %s", operation, body, json_dumps(call.answer, 0));
    assert_true(call.has_crc);
    assert_non_null(call.answer);
    return call.answer;
}

static void refused(struct fixture *f, const char *operation, const char *body, const char *type,
                    const char *message)
{
    json_t *answer = run(f, 400, operation, body);
    const char *got_type = json_string_value(json_object_get(answer, "__type"));
    const char *got = json_string_value(json_object_get(answer, "message"));
    if (!got)
        got = json_string_value(json_object_get(answer, "Message"));
    assert_string_equal(got_type, type);
    if (*message && (!got || !strstr(got, message)))
        fail_msg("%s: %s", body, got);
    json_decref(answer);
}

static void done(struct fixture *f, const char *operation, const char *body)
{
    json_decref(run(f, 200, operation, body));
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err = {0};
    snprintf(f->folder, sizeof f->folder, "/tmp/ken_dynamodb_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/d.sqlite", f->folder);
    f->service = dynamodb_open(f->path, "000000000000", "us-east-1", &err);
    assert_non_null(f->service);
    static const char *const names[] = {"zzz", "aaa", "mmm"};
    for (size_t i = 0; i < 3; i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\",\"KeySchema\":["
                 "{\"AttributeName\":\"h\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"r\","
                 "\"KeyType\":\"RANGE\"}],\"AttributeDefinitions\":[{\"AttributeName\":\"h\","
                 "\"AttributeType\":\"S\"},{\"AttributeName\":\"r\",\"AttributeType\":\"N\"}]}",
                 names[i]);
        done(f, "CreateTable", body);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err;
    dynamodb_close(f->service);
    assert_int_equal(file_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

#define VALIDATION "com.amazon.coral.validate#ValidationException"
#define SERIALIZATION "com.amazon.coral.service#SerializationException"

static void broken_bodies_are_refused(void **state)
{
    struct fixture *f = *state;
    refused(f, "GetItem", "{", SERIALIZATION, "");
    refused(f, "GetItem", "[]", SERIALIZATION, "");
    refused(f, "GetItem", "{\"TableName\":5}", SERIALIZATION, "NUMBER_VALUE cannot be converted");
    refused(f, "PutItem", "{\"TableName\":\"aaa\",\"Item\":{\"h\":{\"S\":[]}}}", SERIALIZATION, "");
    refused(f, "Nothing", "{}", "com.amazon.coral.service#UnknownOperationException", "");
}

static void an_absent_table_is_not_found(void **state)
{
    refused(*state, "Scan", "{\"TableName\":\"absent\"}",
            "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            "Requested resource not found");
}

static void a_condition_that_fails_changes_nothing(void **state)
{
    struct fixture *f = *state;
    done(f, "PutItem",
         "{\"TableName\":\"aaa\",\"Item\":{\"h\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"}}}");
    refused(f, "PutItem",
            "{\"TableName\":\"aaa\",\"Item\":{\"h\":{\"S\":\"a\"},\"r\":{\"N\":\"1\"},\"x\":{\"S\":"
            "\"y\"}},\"ConditionExpression\":\"attribute_not_exists(h)\"}",
            "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "The conditional request failed");
    json_t *answer =
        run(f, 200, "GetItem",
            "{\"TableName\":\"aaa\",\"Key\":{\"h\":{\"S\":\"a\"},\"r\":{\"N\":\"1.0\"}}}");
    json_t *item = json_object_get(answer, "Item");
    assert_non_null(item);
    assert_null(json_object_get(item, "x"));
    json_decref(answer);
}

static void pages_join_to_the_whole_in_order(void **state)
{
    struct fixture *f = *state;
    char body[1024], start[512] = "";
    static const int numbers[] = {-1000, -10, -9, 0, 1, 2, 10, 99, 100, 2000};
    for (int i = 9; i >= 0; i--) {
        snprintf(body, sizeof body,
                 "{\"TableName\":\"aaa\",\"Item\":{\"h\":{\"S\":\"a\"},\"r\":{\"N\":\"%d\"}}}",
                 numbers[i]);
        done(f, "PutItem", body);
    }
    int seen = 0;
    for (int pages = 0; pages < 20; pages++) {
        snprintf(body, sizeof body,
                 "{\"TableName\":\"aaa\",\"KeyConditionExpression\":\"h = :h\",\"Limit\":3,"
                 "\"ExpressionAttributeValues\":{\":h\":{\"S\":\"a\"}}%s}",
                 start);
        json_t *answer = run(f, 200, "Query", body), *item;
        size_t i;
        json_array_foreach(json_object_get(answer, "Items"), i, item)
        {
            const char *text = json_string_value(json_object_get(json_object_get(item, "r"), "N"));
            assert_true(seen < 10 && strtol(text, NULL, 10) == numbers[seen]);
            seen++;
        }
        json_t *last = json_object_get(answer, "LastEvaluatedKey");
        char *text = last ? json_dumps(last, JSON_COMPACT) : NULL;
        snprintf(start, sizeof start, ",\"ExclusiveStartKey\":%s", text ? text : "");
        json_decref(answer);
        if (!text)
            break;
        free(text);
    }
    assert_int_equal(seen, 10);
}

static void tables_are_listed_in_order_and_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    dynamodb_close(f->service);
    f->service = dynamodb_open(f->path, "000000000000", "us-east-1", &err);
    assert_non_null(f->service);
    json_t *answer = run(f, 200, "ListTables", "{}");
    char *text = json_dumps(answer, JSON_COMPACT);
    assert_string_equal(text, "{\"TableNames\":[\"aaa\",\"mmm\",\"zzz\"]}");
    free(text);
    json_decref(answer);
}

/* A reply's question of access; denied, nothing is done and nothing answered twice. */
static void asks(struct fixture *f, const char *operation, const char *body, const char *question)
{
    char target[64];
    struct call call = {.target = target, .denies = 1};
    snprintf(target, sizeof target, "DynamoDB_20120810.%s", operation);
    arena_init(&call.x.arena, 64 << 20);
    call.x.body.data = body;
    call.x.body.size = strlen(body);
    dynamodb_handle(f->service, &call.x);
    arena_finish(&call.x.arena);
    assert_string_equal(call.asked, question);
    assert_int_equal(call.answers, 1);
    assert_true(json_is_true(json_object_get(call.answer, "denied")));
    json_decref(call.answer);
}

#define ARN "arn:aws:dynamodb:us-east-1:000000000000:table/"

static void every_operation_asks_for_access_to_what_it_touches(void **state)
{
    struct fixture *f = *state;
    const char *key = "{\"h\":{\"S\":\"x\"},\"r\":{\"N\":\"1\"}}";
    char body[512];
    snprintf(body, sizeof body, "{\"TableName\":\"aaa\",\"Key\":%s}", key);
    asks(f, "GetItem", body, "dynamodb:GetItem " ARN "aaa");
    asks(f, "DeleteItem", body, "dynamodb:DeleteItem " ARN "aaa");
    asks(f, "UpdateItem", body, "dynamodb:UpdateItem " ARN "aaa");
    asks(f, "DeleteTable", "{\"TableName\":\"absent\"}", "dynamodb:DeleteTable " ARN "absent");
    asks(f, "Scan", "{\"TableName\":\"aaa\",\"IndexName\":\"other\"}",
         "dynamodb:Scan " ARN "aaa/index/other");
    asks(f, "ListTables", "{}", "dynamodb:ListTables *");
    snprintf(body, sizeof body,
             "{\"TransactItems\":[{\"ConditionCheck\":{\"TableName\":\"aaa\",\"Key\":%s,"
             "\"ConditionExpression\":\"attribute_exists(h)\"}}]}",
             key);
    asks(f, "TransactWriteItems", body, "dynamodb:ConditionCheckItem " ARN "aaa");
    snprintf(body, sizeof body, "{\"RequestItems\":{\"mmm\":[{\"DeleteRequest\":{\"Key\":%s}}]}}",
             key);
    asks(f, "BatchWriteItem", body, "dynamodb:BatchWriteItem " ARN "mmm");
    asks(f, "TagResource",
         "{\"ResourceArn\":\"" ARN "zzz\",\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"}]}",
         "dynamodb:TagResource " ARN "zzz");
}

static void constraints_are_reported_together_and_types_first(void **state)
{
    struct fixture *f = *state;
    refused(f, "CreateTable",
            "{\"TableName\":\"new\",\"KeySchema\":[],\"AttributeDefinitions\":[{"
            "\"AttributeName\":\"h\",\"AttributeType\":\"X\"}],\"BillingMode\":\"Y\"}",
            VALIDATION,
            "3 validation errors detected: Value 'X' at "
            "'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member "
            "must satisfy enum value set: [B, N, S]; Value '[]' at 'keySchema' failed to satisfy "
            "constraint: Member must have length greater than or equal to 1; Value 'Y' at "
            "'billingMode'");
    refused(f, "CreateTable",
            "{\"TableName\":\"new\",\"AttributeDefinitions\":[],\"KeySchema\":[{\"AttributeName\":"
            "\"a\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"b\",\"KeyType\":\"RANGE\"},{"
            "\"AttributeName\":\"c\",\"KeyType\":\"RANGE\"}]}",
            VALIDATION,
            "Value '[KeySchemaElement(attributeName=a, keyType=HASH), "
            "KeySchemaElement(attributeName=b, keyType=RANGE), KeySchemaElement(attributeName=c, "
            "keyType=RANGE)]' at 'keySchema' failed to satisfy constraint: Member must have length "
            "less than or equal to 2");
    refused(f, "PutItem", "{\"TableName\":\"ab\",\"Item\":{\"h\":{\"L\":[{\"BOOL\":\"x\"}]}}}",
            SERIALIZATION, "Unexpected token received from parser");
    refused(f, "GetItem", "{\"TableName\":\"aaa\",\"Key\":{},\"Unheard\":1}", VALIDATION,
            "Unknown parameter: Unheard");
    refused(f, "Scan", "{\"TableName\":\"aaa\",\"ScanFilter\":{\"a\":null}}", VALIDATION,
            "Value null at 'scanFilter.a.member'");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(broken_bodies_are_refused),
        TEST(an_absent_table_is_not_found),
        TEST(every_operation_asks_for_access_to_what_it_touches),
        TEST(constraints_are_reported_together_and_types_first),
        TEST(a_condition_that_fails_changes_nothing),
        TEST(pages_join_to_the_whole_in_order),
        TEST(tables_are_listed_in_order_and_survive_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
