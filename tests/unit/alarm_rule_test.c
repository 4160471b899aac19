#include "cloud/cloudwatch/alarm_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Alarms whose names begin with A are in ALARM, others are OK. */
static int ask(void *context, const char *name, const char *state, struct err *err)
{
    (void)context;
    (void)err;
    return !strcmp(state, *name == 'A' ? "ALARM" : "OK");
}

static void rules_are_as_aws_says(void **state)
{
    static const struct {
        const char *rule;
        int truth;
    } lines[] = {
        {"TRUE", 1},
        {"FALSE OR NOT FALSE", 1},
        {"ALARM(A1)", 1},
        {"ALARM( \"A (1)\" )", 1},
        {"ALARM(b) OR OK(A)", 0},
        {"ALARM(arn:aws:cloudwatch:us-east-1:000000000000:alarm:A1) AND OK('b')", 1},
        {"TRUE OR TRUE AND FALSE", 1},
        {"(TRUE OR TRUE) AND FALSE", 0},
        {"NOT ALARM(b) AND NOT NOT ALARM(A)", 1},
        {"INSUFFICIENT_DATA(A)", 0},
        {"", -1},
        {"ALARM", -1},
        {"ALARM()", -1},
        {"ALARM(A", -1},
        {"ALARM(\"A)", -1},
        {"ALARM(A) OK(b)", -1},
        {"ALARMS(A)", -1},
        {"TRUE AND", -1},
        {"AT_LEAST(1, ALARM, (A))", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct err err = {0};
        int truth = rule_evaluate(lines[i].rule, ask, NULL, &err);
        if (truth != lines[i].truth)
            fail_msg("%s is %d (%s)", lines[i].rule, truth, err.message);
    }
}

/* `piece` so many times, then TRUE and the closing parentheses. */
static int evaluate_many(const char *piece, size_t count, size_t closing)
{
    char rule[8192];
    size_t used = 0;
    struct err err;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(rule + used, sizeof rule - used, "%s", piece);
    used += (size_t)snprintf(rule + used, sizeof rule - used, "TRUE");
    memset(rule + used, ')', closing);
    rule[used + closing] = 0;
    return rule_evaluate(rule, ask, NULL, &err);
}

static void rules_have_limits(void **state)
{
    (void)state;
    assert_int_equal(evaluate_many("(", RULE_MAX_DEPTH - 1, RULE_MAX_DEPTH - 1), 1);
    assert_int_equal(evaluate_many("(", RULE_MAX_DEPTH, RULE_MAX_DEPTH), -1);
    assert_int_equal(evaluate_many("ALARM(b) OR ", RULE_MAX_CHILDREN, 0), 1);
    assert_int_equal(evaluate_many("ALARM(b) OR ", RULE_MAX_CHILDREN + 1, 0), -1);
    assert_int_equal(evaluate_many("FALSE OR ", RULE_MAX_ELEMENTS - 1, 0), 1);
    assert_int_equal(evaluate_many("FALSE OR ", RULE_MAX_ELEMENTS, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_as_aws_says),
        cmocka_unit_test(rules_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
