#include "aws/sqs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void refused(const char *text, const char *reason)
{
    struct err err = {0};
    json_t *attributes = parse(text);
    if (sqs_attributes_check(attributes, SQS_MAX_ATTRIBUTES, &err) == 0)
        fail_msg("taken: %s", text);
    if (!strstr(err.message, reason))
        fail_msg("%s: %s", text, err.message);
    json_decref(attributes);
}

static void wrong_attributes_are_refused(void **state)
{
    (void)state;
    refused("{\"\": {\"DataType\": \"String\", \"StringValue\": \"x\"}}", "Length");
    refused("{\"a/b\": {\"DataType\": \"String\", \"StringValue\": \"x\"}}", "invalid");
    refused("{\"aws.b\": {\"DataType\": \"String\", \"StringValue\": \"x\"}}", "AWS.");
    refused("{\"a..b\": {\"DataType\": \"String\", \"StringValue\": \"x\"}}", "succession");
    refused("{\"a\": {\"StringValue\": \"x\"}}", "non-empty message attribute type");
    refused("{\"a\": {\"DataType\": \"Strings\", \"StringValue\": \"x\"}}", "type prefixes");
    refused("{\"a\": {\"DataType\": \"String\", \"BinaryValue\": \"AA==\"}}", "non-empty value");
    refused("{\"a\": {\"DataType\": \"Number\", \"StringValue\": \"0x10\"}}", "number");
    refused("{\"a\": {\"DataType\": \"Number\", \"StringValue\": \"nan\"}}", "number");
    refused("{\"a\": {\"DataType\": \"Binary\", \"BinaryValue\": \"A\"}}", "base64");
    refused("{\"a\": {\"DataType\": \"String\", \"StringValue\": \"\\u0001\"}}", "characters");
    refused("{\"a\": {\"DataType\": \"String\", \"StringValue\": \"x\", \"StringListValues\": "
            "[]}}",
            "list values");
}

/* The digests are those that AWS gave for these attributes. */
static void digests_are_those_of_aws(void **state)
{
    (void)state;
    static const struct {
        const char *attributes, *digest;
    } cases[] = {
        {"{\"Foo\": {\"DataType\": \"String\", \"StringValue\": \"Bar\"}}",
         "ae7155c6026991b6d54b11589678bf9c"},
        {"{\"Help.Me\": {\"DataType\": \"String\", \"StringValue\": \"Me\"},"
         " \"Hello\": {\"DataType\": \"String\", \"StringValue\": \"There\"},"
         " \"General\": {\"DataType\": \"String\", \"StringValue\": \"Kenobi\"}}",
         "4c360f3fdafd970e05fae2f149d997f5"},
        {"{\"attr1\": {\"DataType\": \"Binary\", \"BinaryValue\": "
         "\"dHJhY2VwYXJlbnQeMDAtNzc0MDYyZDZjMzcwODFhNWEwYjliNWI4OGUzMDYyN2MtMmQyNDgyMjExZjY0ODlkYS"
         "0wMQ==\"}}",
         "8cbe4db156db8a94db8b801b7addb984"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char digest[SQS_MD5_BYTES];
        json_t *attributes = parse(cases[i].attributes);
        assert_int_equal(sqs_attributes_md5(attributes, digest), 0);
        assert_string_equal(digest, cases[i].digest);
        json_decref(attributes);
    }
}

static void attributes_count_by_their_bytes(void **state)
{
    (void)state;
    json_t *attributes = parse("{\"ab\": {\"DataType\": \"Binary\", \"BinaryValue\": \"AAE=\"},"
                               " \"c\": {\"DataType\": \"String\", \"StringValue\": \"xyz\"}}");
    assert_int_equal(sqs_attributes_bytes(attributes), 2 + 6 + 2 + 1 + 6 + 3);
    assert_int_equal(sqs_attributes_bytes(NULL), 0);
    json_decref(attributes);
}

static void bodies_hold_the_characters_of_xml(void **state)
{
    (void)state;
    assert_true(sqs_text_is_valid("\t\r\n ~\xc3\xbc\xef\xbf\xbd\xf0\x9f\x98\x80", 14));
    assert_false(sqs_text_is_valid("a\0b", 3));
    assert_false(sqs_text_is_valid("\x1f", 1));
    assert_false(sqs_text_is_valid("\xef\xbf\xbe", 3));
    assert_false(sqs_text_is_valid("\xed\xa0\x80", 3));
    assert_false(sqs_text_is_valid("\xc3", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_attributes_are_refused),
        cmocka_unit_test(digests_are_those_of_aws),
        cmocka_unit_test(attributes_count_by_their_bytes),
        cmocka_unit_test(bodies_hold_the_characters_of_xml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
