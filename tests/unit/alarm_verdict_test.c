#include "cloud/cloudwatch/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Datapoints as AWS's page on missing data writes them: '0' fine, 'X' breaching, '-' missing. */
static enum alarm_state judge(const char *points, size_t to_alarm, size_t periods,
                              enum alarm_missing missing)
{
    struct datapoint row[16];
    struct alarm_rule rule = {"GreaterThanThreshold", 1, periods, to_alarm, missing};
    size_t count = strlen(points);
    for (size_t i = 0; i < count; i++)
        row[i] =
            (struct datapoint){.value = points[i] == 'X' ? 2 : 0, .is_there = points[i] != '-'};
    return alarm_verdict(&rule, row, count);
}

struct line {
    const char *points;
    enum alarm_state missing, ignore, breaching, not_breaching;
};

static void check(const struct line *lines, size_t count, size_t to_alarm)
{
    for (size_t i = 0; i < count; i++) {
        const enum alarm_state expected[] = {lines[i].missing, lines[i].ignore, lines[i].breaching,
                                             lines[i].not_breaching};
        for (int m = 0; m < 4; m++)
            if (judge(lines[i].points, to_alarm, 3, (enum alarm_missing)m) != expected[m])
                fail_msg("%s with treatment %d is not %d", lines[i].points, m, (int)expected[m]);
    }
}

static void three_of_three_is_as_aws_says(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"0-X-X", ALARM_OK, ALARM_OK, ALARM_OK, ALARM_OK},
        {"----0", ALARM_OK, ALARM_OK, ALARM_OK, ALARM_OK},
        {"-----", ALARM_INSUFFICIENT, ALARM_KEEP, ALARM_ALARM, ALARM_OK},
        {"0XX-X", ALARM_ALARM, ALARM_ALARM, ALARM_ALARM, ALARM_ALARM},
        {"--X--", ALARM_ALARM, ALARM_KEEP, ALARM_ALARM, ALARM_OK},
    };
    check(lines, sizeof lines / sizeof *lines, 3);
}

static void two_of_three_is_as_aws_says(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"0-X-X", ALARM_ALARM, ALARM_ALARM, ALARM_ALARM, ALARM_ALARM},
        {"00X0X", ALARM_ALARM, ALARM_ALARM, ALARM_ALARM, ALARM_ALARM},
        {"0-X--", ALARM_ALARM, ALARM_KEEP, ALARM_ALARM, ALARM_OK},
        {"-----", ALARM_INSUFFICIENT, ALARM_KEEP, ALARM_ALARM, ALARM_OK},
        {"00000", ALARM_OK, ALARM_OK, ALARM_OK, ALARM_OK},
    };
    check(lines, sizeof lines / sizeof *lines, 2);
}

static void every_comparison_breaches_where_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *comparison;
        int below, at, above;
    } cases[] = {{"GreaterThanThreshold", 0, 0, 1},
                 {"GreaterThanOrEqualToThreshold", 0, 1, 1},
                 {"LessThanThreshold", 1, 0, 0},
                 {"LessThanOrEqualToThreshold", 1, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct alarm_rule rule = {cases[i].comparison, 5, 1, 1, MISSING_MISSING};
        assert_int_equal(alarm_breaches(&rule, 4), cases[i].below);
        assert_int_equal(alarm_breaches(&rule, 5), cases[i].at);
        assert_int_equal(alarm_breaches(&rule, 6), cases[i].above);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_of_three_is_as_aws_says),
        cmocka_unit_test(two_of_three_is_as_aws_says),
        cmocka_unit_test(every_comparison_breaches_where_it_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
