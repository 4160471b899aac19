#include "cloud/lambda/event_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* {"Filters": [{"Pattern": text}]} */
static json_t *criteria_of(const char *pattern)
{
    return json_pack("{s:[{s:s}]}", "Filters", "Pattern", pattern);
}

static void wrong_patterns_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "null",
        "text",
        "\"text\"",
        "[]",
        "{\"eventSource\": \"aws:sqs\"}",
        "{\"eventSource\": []}",
        "{\"body\": \"plain\"}",
        "{\"body\": {\"a\": [{\"unknown\": 1}]}}",
        "{\"body\": {\"a\": [{\"numeric\": [\"~\", 1]}]}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err = {0};
        json_t *criteria = criteria_of(wrong[i]);
        assert_int_equal(event_filter_check(criteria, &err), -1);
        assert_string_equal(err.message, "Invalid filter pattern definition.");
        json_decref(criteria);
    }
}

static void a_mapping_has_few_filters(void **state)
{
    struct err err = {0};
    json_t *criteria = json_pack("{s:[]}", "Filters");
    (void)state;
    assert_int_equal(event_filter_check(NULL, &err), 0);
    for (int i = 0; i <= EVENT_FILTERS_MOST; i++) {
        assert_int_equal(event_filter_check(criteria, &err), 0);
        json_array_append_new(json_object_get(criteria, "Filters"),
                              json_pack("{s:s}", "Pattern", "{\"a\": [1]}"));
    }
    assert_int_equal(event_filter_check(criteria, &err), -1);
    json_decref(criteria);
}

static int passes(const char *pattern, const char *body)
{
    struct err err = {0};
    json_t *criteria = criteria_of(pattern);
    json_t *record = json_pack("{s:s, s:s, s:{s:s}}", "body", body, "eventSource", "aws:sqs",
                               "attributes", "ApproximateReceiveCount", "1");
    assert_int_equal(event_filter_check(criteria, &err), 0);
    int result = event_filter_passes(criteria, record);
    json_decref(criteria);
    json_decref(record);
    return result;
}

static void records_pass_where_they_should(void **state)
{
    static const struct {
        const char *pattern, *body;
        int expected;
    } cases[] = {
        {"{\"body\": {\"k\": [\"a\", \"b\"]}}", "{\"k\": \"b\"}", 1},
        {"{\"body\": {\"k\": [\"a\", \"b\"]}}", "{\"k\": \"c\"}", 0},
        {"{\"body\": {\"k\": [\"a\"], \"l\": [1]}}", "{\"k\": \"a\", \"l\": 1}", 1},
        {"{\"body\": {\"k\": [\"a\"], \"l\": [1]}}", "{\"k\": \"a\", \"l\": 2}", 0},
        {"{\"body\": {\"k\": [{\"exists\": true}]}}", "{\"k\": null}", 1},
        {"{\"body\": {\"k\": [{\"exists\": true}]}}", "{\"l\": 1}", 0},
        {"{\"body\": {\"k\": [{\"exists\": false}]}}", "{\"l\": 1}", 1},
        {"{\"body\": {\"n\": [{\"numeric\": [\">=\", 100, \"<\", 200]}]}}", "{\"n\": 100}", 1},
        {"{\"body\": {\"n\": [{\"numeric\": [\">=\", 100, \"<\", 200]}]}}", "{\"n\": 200}", 0},
        {"{\"body\": {\"k\": [{\"prefix\": \"yes\"}]}}", "{\"k\": \"yes-value\"}", 1},
        {"{\"body\": {\"k\": [{\"anything-but\": [\"a\"]}]}}", "{\"k\": \"a\"}", 0},
        {"{\"body\": {\"$or\": [{\"k\": [1]}, {\"l\": [2]}]}}", "{\"l\": 2}", 1},
        /* a body of the other kind */
        {"{\"body\": {\"k\": [\"a\"]}}", "plain", 0},
        {"{\"body\": {\"k\": [{\"exists\": false}]}}", "plain", 0},
        {"{\"body\": [\"plain\"]}", "plain", 1},
        {"{\"body\": [\"plain\"]}", "other", 0},
        {"{\"body\": [{\"prefix\": \"{\"}]}", "{\"k\": 1}", 0},
        /* what is not the body */
        {"{\"eventSource\": [\"aws:sqs\"]}", "plain", 1},
        {"{\"eventSource\": [\"aws:sqs\"]}", "{}", 1},
        {"{\"attributes\": {\"ApproximateReceiveCount\": [\"2\"]}}", "plain", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (passes(cases[i].pattern, cases[i].body) != cases[i].expected)
            fail_msg("%s on %s is not %d", cases[i].pattern, cases[i].body, cases[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_patterns_are_refused),
        cmocka_unit_test(a_mapping_has_few_filters),
        cmocka_unit_test(records_pass_where_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
