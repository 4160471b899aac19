#include "cloud/logs/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void wrong_patterns_are_refused(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "\"open",
        "%a.*%",
        "{",
        "{ $.a }",
        "{ a = 1 }",
        "{ $. = 1 }",
        "{ $.a = 1",
        "{ $.a > x }",
        "{ $.a = 1 } more",
        "{ $.a IS 1 }",
        "{ $.a NOT IN 1}",
        "{ $.a[x] = 1 }",
        "{ ($.a = 1 }",
        "{ $.a = %x% }",
        "[",
        "[a",
        "[a, ]",
        "[a = ]",
        "[a > x]",
        "[a] b",
        "{ $.a[0 = 1 }",
        "{ $.a = \"x }",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct arena arena;
        struct filter filter;
        struct err err = {0};
        arena_init(&arena, 1 << 20);
        if (filter_parse(patterns[i], &filter, &arena, &err) == 0)
            fail_msg("taken: %s", patterns[i]);
        assert_int_equal(err.code, ERR_INVALID);
        arena_finish(&arena);
    }
}

static int matches(const char *pattern, const char *line)
{
    struct arena arena;
    struct filter filter;
    struct err err = {0};
    arena_init(&arena, 1 << 20);
    if (filter_parse(pattern, &filter, &arena, &err) < 0)
        fail_msg("%s: %s", pattern, err.message);
    int result = filter_matches(&filter, line, strlen(line));
    arena_finish(&arena);
    return result;
}

struct check {
    const char *pattern, *line;
    int expected;
};

static void run(const struct check *checks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (matches(checks[i].pattern, checks[i].line) != checks[i].expected)
            fail_msg("%s on %s is not %d", checks[i].pattern, checks[i].line, checks[i].expected);
}

static void terms_are_found(void **state)
{
    (void)state;
    static const struct check checks[] = {
        {"", "anything", 1},
        {"ERROR", "an ERROR", 1},
        {"ERROR", "an error", 0},
        {"a b", "b then a", 1},
        {"a b", "a", 0},
        {"\"a b\"", "x a b y", 1},
        {"\"a b\"", "a  b", 0},
        {"?a ?b", "only b", 1},
        {"?a ?b", "neither", 0},
        {"ERROR -x", "ERROR y", 1},
        {"ERROR -x", "ERROR x", 0},
    };
    run(checks, sizeof checks / sizeof *checks);
}

static void json_is_selected(void **state)
{
    (void)state;
    static const struct check checks[] = {
        {"{ $.a = 1 }", "{\"a\": 1.0}", 1},
        {"{ $.a = 1 }", "{\"a\": \"2\"}", 0},
        {"{ $.a = 1 }", "no json", 0},
        {"{$.a=\"x*\"}", "{\"a\": \"xyz\"}", 1},
        {"{ $.a = *y* }", "{\"a\": \"xyz\"}", 1},
        {"{ $.a != \"x\" }", "{\"a\": \"y\"}", 1},
        {"{ $.a != \"x\" }", "{}", 0},
        {"{ $.a >= 5 && $.a < 7 }", "{\"a\": 6.5}", 1},
        {"{ $.a >= 5 && $.a < 7 }", "{\"a\": 7}", 0},
        {"{ $.a = 1 || $.b = 2 && $.c = 3 }", "{\"a\": 1}", 1},
        {"{ ($.a = 1 || $.b = 2) && $.c = 3 }", "{\"a\": 1}", 0},
        {"{ ($.a = 1 || $.b = 2) && $.c = 3 }", "{\"b\": 2, \"c\": 3}", 1},
        {"{ $.a.b[1].c = true }", "{\"a\": {\"b\": [0, {\"c\": true}]}}", 1},
        {"{ $.a[*].b = 2 }", "{\"a\": [{\"b\": 1}, {\"b\": 2}]}", 1},
        {"{ $['a b'] = 1 }", "{\"a b\": 1}", 1},
        {"{ $.a IS NULL }", "{\"a\": null}", 1},
        {"{ $.a IS NULL }", "{}", 0},
        {"{ $.a IS TRUE }", "{\"a\": true}", 1},
        {"{ $.a is false }", "{\"a\": true}", 0},
        {"{ $.a NOT EXISTS }", "{\"b\": 1}", 1},
        {"{ $.a NOT EXISTS }", "{\"a\": null}", 0},
    };
    run(checks, sizeof checks / sizeof *checks);
}

static void fields_are_compared(void **state)
{
    (void)state;
    static const char line[] = "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /a.gif "
                               "HTTP/1.0\" 404 1534";
    static const struct check checks[] = {
        {"[ip, id, user, time, request, status, bytes]", line, 1},
        {"[ip, id, user, time, request, status]", line, 0},
        {"[ip, ..., status, bytes]", line, 1},
        {"[ip, id, user, time, request = GET*, status = 4*, bytes > 1000]", line, 1},
        {"[ip, id, user, time, request = \"*.html *\", status, bytes]", line, 0},
        {"[..., status = 404, bytes]", line, 1},
        {"[..., status != 404, bytes]", line, 0},
        {"[..., status = 200 || status = 404, bytes]", line, 1},
        {"[..., status >= 400 && status < 500, bytes <= 1534]", line, 1},
        {"[ip = 10.*, ...]", line, 0},
        {"[a, b, c, d, e, f, g, h, ...]", line, 0},
    };
    run(checks, sizeof checks / sizeof *checks);
}

static void selectors_find_values(void **state)
{
    (void)state;
    struct arena arena;
    struct filter json, fields;
    struct err err = {0};
    arena_init(&arena, 1 << 20);
    assert_int_equal(filter_parse("{ $.a = * }", &json, &arena, &err), 0);
    assert_int_equal(filter_parse("[x, ..., y]", &fields, &arena, &err), 0);
    static const char line[] = "{\"a\": {\"b\": [1.5, \"t\"]}}";
    assert_string_equal(filter_select(&json, "$.a.b[0]", line, strlen(line), &arena), "1.5");
    assert_string_equal(filter_select(&json, "$.a.b[1]", line, strlen(line), &arena), "t");
    assert_null(filter_select(&json, "$.a.c", line, strlen(line), &arena));
    assert_string_equal(filter_select(&fields, "$y", "1 2 3 4", 7, &arena), "4");
    assert_null(filter_select(&fields, "$z", "1 2 3 4", 7, &arena));
    arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_patterns_are_refused), cmocka_unit_test(terms_are_found),
        cmocka_unit_test(json_is_selected),           cmocka_unit_test(fields_are_compared),
        cmocka_unit_test(selectors_find_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
