#include "cloud/dynamodb/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ITEM                                                                                       \
    "{\"s\":{\"S\":\"hello\"},\"n\":{\"N\":\"10\"},\"b\":{\"B\":\"AAEC\"},\"t\":{\"BOOL\":true},"  \
    "\"z\":{\"NULL\":true},\"l\":{\"L\":[{\"N\":\"1\"},{\"S\":\"x\"},{\"M\":{\"k\":{\"N\":\"5\"}}" \
    "}]},\"m\":{\"M\":{\"a\":{\"N\":\"7\"},\"c\":{\"L\":[]}}},\"ss\":{\"SS\":[\"p\",\"q\"]},"      \
    "\"ns\":{\"NS\":[\"1\",\"2\"]},\"d\":{\"L\":[{\"N\":\"1\"},{\"L\":[{\"S\":\"y\"},{\"N\":"      \
    "\"2\"}]}]}}"
#define NAMES "{\"#s\":\"s\",\"#dot\":\"a.b\"}"
#define VALUES                                                                                     \
    "{\":s\":{\"S\":\"hello\"},\":he\":{\"S\":\"he\"},\":n\":{\"N\":\"10.0\"},\":5\":{\"N\":"      \
    "\"5\"},\":1\":{\"N\":\"1\"},\":N\":{\"S\":\"N\"},\":bad\":{\"S\":\"Q\"},\":m\":{\"M\":{}},"   \
    "\":l\":{\"L\":[{\"S\":\"y\"}]},\":q\":{\"SS\":[\"q\",\"r\"]},\":p\":{\"S\":\"p\"},"           \
    "\":pq\":{\"SS\":[\"q\",\"p\"]},\":t\":{\"BOOL\":true},\":u\":{\"S\":"                         \
    "\"\u0435\u20ac\U0001d11ex\"},\":ns\":{\"NS\":[\"2\",\"1.0\"]}}"

struct fixture {
    struct arena arena;
    json_t *item, *names, *values;
    struct value map;
    struct substitutions substitutions;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err = {0};
    arena_init(&f->arena, 16 << 20);
    f->item = json_loads(ITEM, 0, NULL);
    f->names = json_loads(NAMES, 0, NULL);
    f->values = json_loads(VALUES, 0, NULL);
    assert_int_equal(item_from_json(f->item, &f->map, &f->arena, &err), 0);
    assert_int_equal(
        substitutions_init(&f->substitutions, f->names, f->values, VALUE_OLDER, &f->arena, &err),
        0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    json_decref(f->item);
    json_decref(f->names);
    json_decref(f->values);
    arena_finish(&f->arena);
    free(f);
    return 0;
}

static void refused(struct fixture *f, const char *text, const char *message)
{
    struct err err = {0};
    if (condition_parse(&f->substitutions, "ConditionExpression", text, &err))
        fail_msg("accepted: %s", text);
    if (!strstr(err.message, message))
        fail_msg("%s: %s", text, err.message);
}

static void syntax_errors_name_the_token(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"", "The expression can not be empty;"},
        {"  ", "Syntax error; token: \"<EOF>\", near: \"\""},
        {"s = = n", "Syntax error; token: \"=\", near: \"= = n\""},
        {"s", "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"(s", "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"s = :s)", "Syntax error; token: \")\", near: \":s)\""},
        {"s = :s AND", "Syntax error; token: \"<EOF>\", near: \"AND\""},
        {"NOT", "Syntax error; token: \"<EOF>\", near: \"NOT\""},
        {"l[x] = :s", "Syntax error; token: \"x\", near: \"[x]\""},
        {"l[9999999999] = :s", "Syntax error"},
        {"s = :s $", "Syntax error; token: \"$\", near: \":s $\""},
        {"s IN ()", "Syntax error; token: \")\", near: \"()\""},
        {"# = :s", "Syntax error; token: \"#\""},
        {"NOT s", "Syntax error"},
        {"s AND n = :n", "Syntax error; token: \"AND\", near: \"s AND n\""},
        {"(s = :s) = :n", "Syntax error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(f, cases[i][0], cases[i][1]);
}

static void meanings_that_aws_refuses_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"((s = :s))", "The expression has redundant parentheses;"},
        {"foo(s)", "Invalid function name; function: foo"},
        {"attribute_exists(:s)",
         "requires a document path; operator or function: attribute_exists"},
        {"attribute_exists(s, n)", "number of operands: 2"},
        {"size(s)", "not allowed to be used this way in an expression; function: size"},
        {"s = begins_with(s, :s)", "not allowed to be used this way"},
        {"begins_with(s, :n)", "operator or function: begins_with, operand type: N"},
        {"n < :m", "operator or function: <, operand type: M"},
        {"s = :zz", "value used in expression is not defined; attribute value: :zz"},
        {"#q = :s", "name used in the document path is not defined; attribute name: #q"},
        {"abort = :s", "Attribute name is a reserved keyword; reserved keyword: abort"},
        {"s = s", "The first operand must be distinct"},
        {"n BETWEEN :n AND :s", "requires same data type for lower and upper bounds"},
        {"n BETWEEN :n AND :1", "requires upper bound to be greater"},
        {"attribute_type(s, :bad)", "Invalid attribute type name found; type: Q"},
        {"attribute_type(s, n)", "operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"},
        {"list_append(s, n)", "function is not allowed in a condition expression"},
        {"size(:n) = :n", "operator or function: size, operand type: N"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(f, cases[i][0], cases[i][1]);
}

static void size_and_depth_and_operators_are_limited(void **state)
{
    struct fixture *f = *state;
    char text[8192] = "";
    memset(text, 'a', EXPRESSION_MAX_BYTES + 1);
    refused(f, text,
            "Expression size has exceeded the maximum allowed size; expression size: 4097");
    memset(text, '(', 4000);
    text[4000] = 0;
    refused(f, text, "nested too deeply");
    text[0] = 0;
    for (int i = 0; i < 1000; i++)
        memcpy(text + i * 4, "NOT ", 5);
    refused(f, text, "nested too deeply");
    strcpy(text, "n=:n");
    for (int i = 0; i < 150; i++)
        snprintf(text + strlen(text), 16, " OR n=:n");
    refused(f, text, "The expression contains too many operators; operator count: 301");
}

static void holds(struct fixture *f, const char *text, int wanted)
{
    struct err err = {0};
    struct node *node = condition_parse(&f->substitutions, "ConditionExpression", text, &err);
    if (!node)
        fail_msg("%s: %s", text, err.message);
    if (condition_holds(node, &f->map) != wanted)
        fail_msg("%s is not %d", text, wanted);
}

static void conditions_hold_or_not(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int wanted;
    } cases[] = {
        {"s = :s", 1},
        {"#s = :s", 1},
        {"n = :n", 1},
        {"n <> :n", 0},
        {"absent <> :n", 1},
        {"absent = :n", 0},
        {"n = :s", 0},
        {"n < :s", 0},
        {"n > :5 AND n >= :n", 1},
        {"n < :5 OR n <= :n", 1},
        {"NOT n < :5", 1},
        {"n BETWEEN :5 AND :n", 1},
        {":n BETWEEN :5 AND n", 1},
        {"n NOT_A IN (:5)", -1},
        {"n IN (:5, :n)", 1},
        {"s IN (:5, :n)", 0},
        {"attribute_exists(m.a) AND attribute_not_exists(m.b)", 1},
        {"attribute_exists(l[2].k)", 1},
        {"attribute_exists(l[3])", 0},
        {"attribute_exists(#dot)", 0},
        {"attribute_type(n, :N)", 1},
        {"attribute_type(s, :N)", 0},
        {"begins_with(s, :he)", 1},
        {"begins_with(n, :he)", 0},
        {"contains(s, :he)", 1},
        {"contains(ss, :p)", 1},
        {"contains(l, :1)", 1},
        {"contains(l, :5)", 0},
        {"size(s) = :5", 1},
        {"size(:u) = :5", 1},
        {"size(n) = :5", 0},
        {"size(l) > :1", 1},
        {"size(b) < :5", 1},
        {"ss = :pq", 1},
        {"ns = :ns", 1},
        {"t = :t", 1},
        {"(s = :s OR n = :5) AND t = :t", 1},
        {"s = :s or n = :5 and t <> :t", 1},
        {"m.a > l[0]", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].wanted >= 0)
            holds(f, cases[i].text, cases[i].wanted);
    refused(f, "n NOT_A IN (:5)", "Syntax error");
}

static void an_absent_item_has_no_attributes(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct node *node =
        condition_parse(&f->substitutions, "ConditionExpression", "attribute_not_exists(s)", &err);
    assert_true(condition_holds(node, NULL));
}

static void unused_substitutions_are_refused(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    assert_int_equal(substitutions_check_used(&f->substitutions, &err), -1);
    assert_non_null(
        strstr(err.message, "ExpressionAttributeNames unused in expressions: keys: {#"));
}

static void update_refused(struct fixture *f, const char *text, const char *message)
{
    struct err err = {0};
    struct update update;
    if (update_parse(&f->substitutions, text, &update, &err) == 0)
        fail_msg("accepted: %s", text);
    if (!strstr(err.message, message))
        fail_msg("%s: %s", text, err.message);
}

static void wrong_updates_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"", "The expression can not be empty;"},
        {"SET", "Syntax error; token: \"<EOF>\", near: \"SET\""},
        {"SET s", "Syntax error; token: \"<EOF>\", near: \"s\""},
        {"s = :s", "Syntax error; token: \"s\", near: \"s =\""},
        {"SET s = :s,", "Syntax error; token: \"<EOF>\""},
        {"SET s = :n + :n + :n", "Syntax error; token: \"+\""},
        {"SET s = :s SET n = :n", "The \"SET\" section can only be used once"},
        {"SET s = :s, s = :n", "Two document paths overlap with each other; must remove or rewrite "
                               "one of these paths; path one: [s], path two: [s]"},
        {"SET m.a = :s REMOVE m", "Two document paths overlap"},
        {"SET m[1] = :s, m.a = :s", "Two document paths conflict"},
        {"SET s = foo(:s)", "Invalid function name; function: foo"},
        {"SET s = :s + :n", "operator or function: +, operand type: S"},
        {"SET l = list_append(l, :s)", "operator or function: list_append, operand type: S"},
        {"SET l = if_not_exists(:s, :s)", "requires a document path"},
        {"SET l = if_not_exists(l)", "number of operands: 1"},
        {"SET l = if_not_exists(m.c, m.c)", "operator: if_not_exists, first operand: [m, c]"},
        {"SET l = if_not_exists(l, list_append(l, :l))",
         "to be used this way in an expression; function: list_append"},
        {"SET l = list_append(l, list_append(l, :l))", "to be used this way"},
        {"SET l = list_append(l, :l) + :n", "to be used this way"},
        {"SET l = if_not_exists(#q, list_append(l, :s))", "to be used this way"},
        {"SET n = (n + :n) - :n", "Syntax error; token: \"-\", near: \") - :n\""},
        {"SET n = :n - (n + :n)", "Syntax error; token: \"+\", near: \"n + :n\""},
        {"SET n = if_not_exists(n, (n + :n))", "Syntax error; token: \"+\""},
        {"ADD s :s", "operator: ADD, operand type: STRING"},
        {"DELETE s :n", "operator: DELETE, operand type: NUMBER"},
        {"ADD s n", "Syntax error; token: \"n\", near: \"s n\""},
        {"SET abort = :s", "reserved keyword: abort"},
        {"REMOVE s = :s", "Syntax error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        update_refused(f, cases[i][0], cases[i][1]);
}

static void apply_refused(struct fixture *f, const char *text, const char *message)
{
    struct err err = {0};
    struct update update;
    struct value item;
    assert_int_equal(value_copy(&item, &f->map, &f->arena, &err), 0);
    if (update_parse(&f->substitutions, text, &update, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    if (update_apply(&update, &item, &f->arena, &err) == 0)
        fail_msg("applied: %s", text);
    if (!strstr(err.message, message))
        fail_msg("%s: %s", text, err.message);
}

static void updates_that_do_not_fit_the_item_are_refused(void **state)
{
    struct fixture *f = *state;
    apply_refused(f, "SET n = absent", "refers to an attribute that does not exist in the item");
    apply_refused(f, "SET n = s + :n", "incorrect data type");
    apply_refused(f, "SET absent.a = :n",
                  "document path provided in the update expression is invalid");
    apply_refused(f, "SET s.a = :n", "document path provided in the update expression is invalid");
    apply_refused(f, "SET m[0] = :n", "document path provided in the update expression is invalid");
    apply_refused(f, "REMOVE absent.a",
                  "document path provided in the update expression is invalid");
    /* operands of what has a place, then paths, then ADD and DELETE */
    apply_refused(f, "SET absent.a = absent", "document path");
    apply_refused(f, "SET absent.a = n, x = absent", "does not exist in the item");
    apply_refused(f, "REMOVE absent.a SET x = s + :n", "incorrect data type");
    apply_refused(f, "ADD s :n REMOVE absent.a", "document path");
    apply_refused(f, "DELETE ns :q SET m[0] = :n", "document path");
    apply_refused(f, "ADD s :n", "incorrect data type");
    apply_refused(f, "DELETE ns :q", "incorrect data type");
}

static void updated(struct fixture *f, const char *text, const char *attribute, const char *wanted)
{
    struct err err = {0};
    struct update update;
    struct value item;
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(value_copy(&item, &f->map, &f->arena, &err), 0);
    if (update_parse(&f->substitutions, text, &update, &err) < 0 ||
        update_apply(&update, &item, &f->arena, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    struct value *value = value_member(&item, attribute);
    if (!wanted) {
        assert_null(value);
    } else {
        assert_non_null(value);
        value_write(&out, value);
        assert_string_equal(out.data, wanted);
    }
    buf_finish(&out);
}

static void updates_change_the_item(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][3] = {
        {"SET x = :s", "x", "{\"S\":\"hello\"}"},
        {"SET n = n + :5", "n", "{\"N\":\"15\"}"},
        {"SET n = :5 - n", "n", "{\"N\":\"-5\"}"},
        {"SET x = if_not_exists(x, :1) + :5", "x", "{\"N\":\"6\"}"},
        {"SET x = if_not_exists(n, :1)", "x", "{\"N\":\"10\"}"},
        {"SET m.c = list_append(m.c, :l)", "m",
         "{\"M\":{\"a\":{\"N\":\"7\"},\"c\":{\"L\":[{\"S\":\"y\"}]}}}"},
        {"SET l[9] = :1, l[7] = :5 REMOVE l[1]", "l",
         "{\"L\":[{\"N\":\"1\"},{\"M\":{\"k\":{\"N\":\"5\"}}},{\"N\":\"5\"},{\"N\":\"1\"}]}"},
        {"REMOVE l[0], l[1], l[9]", "l", "{\"L\":[{\"M\":{\"k\":{\"N\":\"5\"}}}]}"},
        {"REMOVE d[0], d[1][0]", "d", "{\"L\":[{\"L\":[{\"N\":\"2\"}]}]}"},
        {"REMOVE d[1][0], d[0]", "d", "{\"L\":[{\"L\":[{\"N\":\"2\"}]}]}"},
        {"REMOVE s, absent", "s", NULL},
        {"ADD n :5", "n", "{\"N\":\"15\"}"},
        {"ADD x :5", "x", "{\"N\":\"5\"}"},
        {"ADD ss :q", "ss", "{\"SS\":[\"p\",\"q\",\"r\"]}"},
        {"DELETE ss :q", "ss", "{\"SS\":[\"p\"]}"},
        {"DELETE ss :pq", "ss", NULL},
        {"DELETE absent :pq", "absent", NULL},
        {"SET n = s, s = n", "n", "{\"S\":\"hello\"}"},
        {"SET n = s, s = n", "s", "{\"N\":\"10\"}"},
        {"set #dot = :t remove n", "a.b", "{\"BOOL\":true}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        updated(f, cases[i][0], cases[i][1], cases[i][2]);
}

static void projected(struct fixture *f, const char *text, const char *wanted)
{
    struct err err = {0};
    struct projection projection;
    struct value out;
    struct buf json;
    buf_init(&json, 4096);
    if (projection_parse(&f->substitutions, text, &projection, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(projection_apply(&projection, &f->map, &out, &f->arena, &err), 0);
    item_write(&json, &out);
    assert_string_equal(json.data, wanted);
    buf_finish(&json);
}

static void projections_keep_what_is_named(void **state)
{
    struct fixture *f = *state;
    projected(f, "s, absent", "{\"s\":{\"S\":\"hello\"}}");
    projected(f, "absent.x", "{}");
    projected(f, "m.a", "{\"m\":{\"M\":{\"a\":{\"N\":\"7\"}}}}");
    projected(f, "l[1], l[2].k", "{\"l\":{\"L\":[{\"S\":\"x\"},{\"M\":{\"k\":{\"N\":\"5\"}}}]}}");
    projected(f, "s.x", "{}");
}

static void wrong_projections_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"",   "s,",          "s n",   "s, s", "m, m.a",
                                        ":s", "l[0].x, l.y", "abort", "#zz",  "s,,n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err err = {0};
        struct projection projection;
        if (projection_parse(&f->substitutions, wrong[i], &projection, &err) == 0)
            fail_msg("accepted: %s", wrong[i]);
        assert_non_null(strstr(err.message, "Invalid ProjectionExpression: "));
    }
}

static void value_refused(const char *json, const char *message)
{
    struct arena arena;
    struct value value;
    struct err err = {0};
    arena_init(&arena, 1 << 20);
    json_t *document = json_loads(json, 0, NULL);
    assert_non_null(document);
    if (value_from_json(document, &value, &arena, &err) == 0)
        fail_msg("accepted: %s", json);
    if (!strstr(err.message, message))
        fail_msg("%s: %s", json, err.message);
    json_decref(document);
    arena_finish(&arena);
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    value_refused("{}", "Supplied AttributeValue is empty");
    value_refused("{\"Q\":\"x\"}", "Supplied AttributeValue is empty");
    value_refused("{\"S\":\"x\",\"N\":\"1\"}", "more than one datatypes set");
    value_refused("{\"S\":1}", "NUMBER_VALUE cannot be converted to String");
    value_refused("{\"N\":\"x\"}", "cannot be converted to a numeric value: x");
    value_refused("{\"SS\":[]}", "An string set  may not be empty");
    value_refused("{\"SS\":[\"a\",\"a\"]}", "Input collection [a, a] contains duplicates.");
    value_refused("{\"NS\":[\"1\",\"1.0\"]}", "Input collection contains duplicates");
    value_refused("{\"B\":\"AAA\"}", "Base64 encoded length is expected a multiple of 4 bytes");
    value_refused("{\"B\":\"AA=A\"}", "Invalid last non-pad Base64");
    value_refused("{\"B\":\"AAB=\"}", "Invalid last non-pad Base64");
    value_refused("[]", "Unrecognized collection type");
    char deep[1024] = "";
    for (int i = 0; i < 33; i++)
        strcat(deep, "{\"L\":[");
    strcat(deep, "{\"S\":\"\"}");
    for (int i = 0; i < 33; i++)
        strcat(deep, "]}");
    value_refused(deep, "Nesting Levels have exceeded supported limits");
}

static void sizes_count_as_documented(void **state)
{
    struct fixture *f = *state;
    json_t *json = json_loads("{\"name\":{\"S\":\"\\u00e9x\"},\"n\":{\"N\":\"-12.5\"},"
                              "\"l\":{\"L\":[{\"BOOL\":true}]}}",
                              0, NULL);
    struct value item;
    struct err err = {0};
    assert_int_equal(item_from_json(json, &item, &f->arena, &err), 0);
    /* 4 + 3, 1 + (2 pairs + 1 + sign), 1 + 3 + 1 + 1 */
    assert_int_equal(item_size(&item), 7 + 5 + 6);
    json_decref(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(syntax_errors_name_the_token),
        TEST(meanings_that_aws_refuses_are_refused),
        TEST(size_and_depth_and_operators_are_limited),
        TEST(wrong_updates_are_refused),
        TEST(updates_that_do_not_fit_the_item_are_refused),
        TEST(wrong_projections_are_refused),
        TEST(unused_substitutions_are_refused),
        cmocka_unit_test(wrong_values_are_refused),
        TEST(conditions_hold_or_not),
        TEST(an_absent_item_has_no_attributes),
        TEST(updates_change_the_item),
        TEST(projections_keep_what_is_named),
        TEST(sizes_count_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
