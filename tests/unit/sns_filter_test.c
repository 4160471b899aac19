#include "cloud/sns/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!json)
        fail_msg("no JSON: %s", text);
    return json;
}

static void refused(const char *text, int in_body, const char *reason)
{
    struct err err = {0};
    json_t *policy = parse(text);
    if (filter_policy_check(policy, in_body, &err) == 0)
        fail_msg("taken: %s", text);
    if (!strstr(err.message, reason))
        fail_msg("%s: %s", text, err.message);
    json_decref(policy);
}

static void wrong_policies_are_refused(void **state)
{
    (void)state;
    refused("[]", 0, "parse");
    refused("{\"a\": \"b\"}", 0, "\"a\" must be an object or an array");
    refused("{\"a\": []}", 0, "Empty arrays");
    refused("{\"a\": [[\"b\"]]}", 0, "Match value must be");
    refused("{\"a\": {\"b\": [\"c\"]}}", 0, "does not support nested");
    refused("{\"a\": [{\"like\": \"b\"}]}", 0, "Unrecognized match type like");
    refused("{\"a\": [{\"prefix\": \"b\", \"suffix\": \"c\"}]}", 0, "Only one key");
    refused("{\"a\": [{\"suffix\": 1}]}", 0, "suffix match pattern must be a string");
    refused("{\"a\": [{\"exists\": \"no\"}]}", 0, "either true or false");
    refused("{\"a\": [{\"numeric\": []}]}", 0, "Invalid member");
    refused("{\"a\": [{\"numeric\": [\"=\", \"0\"]}]}", 0, "Value of equals must be numeric");
    refused("{\"a\": [{\"numeric\": [\"<\", 5, \">\", 1]}]}", 0, "Too many elements");
    refused("{\"a\": [{\"numeric\": [\">\", 5, \"<\", 1]}]}", 0, "Bottom must be less");
    refused("{\"a\": [{\"numeric\": [\">\", 1, \"<\"]}]}", 0, "Value of < must be numeric");
    refused("{\"a\": [{\"anything-but\": [true]}]}", 0, "Inside anything but");
    refused("{\"a\": [{\"cidr\": \"10.0.0.0\"}]}", 0, "Malformed CIDR");
    refused("{\"a\": [{\"cidr\": \"10.0.0.0/33\"}]}", 0, "Malformed CIDR");
    refused("{\"a\":[1],\"b\":[1],\"c\":[1],\"d\":[1],\"e\":[1],\"f\":[1]}", 0, "5 keys");
    refused("{\"a\":[1,2,3,4,5,6],\"b\":[1,2,3,4,5,6],\"c\":[1,2,3,4,5]}", 0, "too complex");
}

static int matches(const char *policy_text, const char *data_text)
{
    struct err err = {0};
    json_t *policy = parse(policy_text), *data = parse(data_text);
    if (filter_policy_check(policy, 1, &err) < 0)
        fail_msg("%s: %s", policy_text, err.message);
    int result = filter_policy_matches(policy, data);
    json_decref(policy);
    json_decref(data);
    return result;
}

static void every_condition_holds_where_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *policy, *data;
        int expected;
    } cases[] = {
        {"{}", "{}", 1},
        {"{\"a\": [\"x\", 5, true, null]}", "{\"a\": \"x\"}", 1},
        {"{\"a\": [\"x\", 5, true, null]}", "{\"a\": 5.0}", 1},
        {"{\"a\": [\"x\", 5, true, null]}", "{\"a\": null}", 1},
        {"{\"a\": [100.123456789]}", "{\"a\": 100.1234561}", 1},
        {"{\"a\": [100.12345]}", "{\"a\": 100.12346}", 0},
        {"{\"a\": [{\"numeric\": [\"=\", 0.3]}]}", "{\"a\": 0.30000001}", 1},
        {"{\"a\": [\"x\", 5, true, null]}", "{\"a\": \"5\"}", 0},
        {"{\"a\": [\"x\"]}", "{}", 0},
        {"{\"a\": [\"x\"], \"b\": [\"y\"]}", "{\"a\": \"x\"}", 0},
        {"{\"a\": [\"x\"]}", "{\"a\": [\"w\", \"x\"]}", 1},
        {"{\"a\": [{\"prefix\": \"ab\"}]}", "{\"a\": \"abc\"}", 1},
        {"{\"a\": [{\"prefix\": \"ab\"}]}", "{\"a\": \"a\"}", 0},
        {"{\"a\": [{\"suffix\": \"bc\"}]}", "{\"a\": \"abc\"}", 1},
        {"{\"a\": [{\"suffix\": \"abcd\"}]}", "{\"a\": \"bcd\"}", 0},
        {"{\"a\": [{\"equals-ignore-case\": \"AbC\"}]}", "{\"a\": \"aBc\"}", 1},
        {"{\"a\": [{\"exists\": true}]}", "{\"a\": null}", 1},
        {"{\"a\": [{\"exists\": true}]}", "{}", 0},
        {"{\"a\": [{\"exists\": false}]}", "{}", 1},
        {"{\"a\": [{\"exists\": false}]}", "{\"a\": 1}", 0},
        {"{\"a\": [{\"anything-but\": \"x\"}]}", "{\"a\": \"y\"}", 1},
        {"{\"a\": [{\"anything-but\": \"x\"}]}", "{\"a\": \"x\"}", 0},
        {"{\"a\": [{\"anything-but\": \"x\"}]}", "{}", 0},
        {"{\"a\": [{\"anything-but\": [1, 2]}]}", "{\"a\": 2}", 0},
        {"{\"a\": [{\"anything-but\": [1, 2]}]}", "{\"a\": 3}", 1},
        {"{\"a\": [{\"anything-but\": {\"prefix\": \"x\"}}]}", "{\"a\": \"xy\"}", 0},
        {"{\"a\": [{\"anything-but\": {\"suffix\": \"x\"}}]}", "{\"a\": \"xy\"}", 1},
        {"{\"a\": [{\"numeric\": [\"=\", 5]}]}", "{\"a\": 5}", 1},
        {"{\"a\": [{\"numeric\": [\">\", 0, \"<=\", 100]}]}", "{\"a\": 100}", 1},
        {"{\"a\": [{\"numeric\": [\">\", 0, \"<=\", 100]}]}", "{\"a\": 0}", 0},
        {"{\"a\": [{\"numeric\": [\"<\", 0]}]}", "{\"a\": \"-1\"}", 0},
        {"{\"a\": [{\"cidr\": \"10.1.0.0/16\"}]}", "{\"a\": \"10.1.255.3\"}", 1},
        {"{\"a\": [{\"cidr\": \"10.1.0.0/16\"}]}", "{\"a\": \"10.2.0.1\"}", 0},
        {"{\"a\": [{\"cidr\": \"2001:db8::/33\"}]}", "{\"a\": \"2001:db8:8000::1\"}", 0},
        {"{\"a\": {\"b\": [1]}}", "{\"a\": {\"b\": 1}}", 1},
        {"{\"a\": {\"b\": [1]}}", "{\"a\": [{\"b\": 0}, {\"b\": 1}]}", 1},
        {"{\"a\": {\"b\": [{\"exists\": false}]}}", "{}", 1},
        {"{\"a\": {\"b\": [1]}}", "{\"a\": 1}", 0},
        {"{\"$or\": [{\"a\": [1]}, {\"b\": [2]}], \"c\": [3]}", "{\"b\": 2, \"c\": 3}", 1},
        {"{\"$or\": [{\"a\": [1]}, {\"b\": [2]}], \"c\": [3]}", "{\"b\": 1, \"c\": 3}", 0},
        {"{\"$or\": [{\"a\": [1]}, {\"b\": [2]}], \"c\": [3]}", "{\"b\": 2}", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (matches(cases[i].policy, cases[i].data) != cases[i].expected)
            fail_msg("%s on %s is not %d", cases[i].policy, cases[i].data, cases[i].expected);
}

static void attributes_are_typed(void **state)
{
    (void)state;
    json_t *attributes = parse("{\"n\": {\"DataType\": \"Number\", \"StringValue\": \"1e2\"},"
                               " \"s\": {\"DataType\": \"String\", \"StringValue\": \"5\"},"
                               " \"l\": {\"DataType\": \"String.Array\", \"StringValue\": "
                               "\"[\\\"a\\\", 7]\"},"
                               " \"b\": {\"DataType\": \"Binary\", \"BinaryValue\": \"AA==\"}}");
    json_t *data = filter_attributes(attributes),
           *expected = parse("{\"n\": 100.0, \"s\": \"5\", \"l\": [\"a\", 7]}");
    assert_true(json_equal(data, expected));
    json_decref(attributes);
    json_decref(data);
    json_decref(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_policies_are_refused),
        cmocka_unit_test(every_condition_holds_where_it_should),
        cmocka_unit_test(attributes_are_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
