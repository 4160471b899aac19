#include "cloud/logs/emf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void metrics_put(struct metrics *metrics, const struct metric_value *value)
{
    (void)metrics, (void)value;
}

/* Each value as a line "namespace name{dim=value,}=value unit @time". */
static void write_line(void *context, const struct metric_value *v)
{
    char *out = context;
    size_t at = strlen(out);
    at += (size_t)snprintf(out + at, 2000 - at, "%s %s{", v->name_space, v->name);
    for (size_t i = 0; i < v->dimension_count; i++)
        at += (size_t)snprintf(out + at, 2000 - at, "%s=%s,", v->dimensions[i].name,
                               v->dimensions[i].value);
    snprintf(out + at, 2000 - at, "}=%g %s @%lld\n", v->value, v->unit, (long long)v->unix_ms);
}

static void gives(const char *line, const char *expected)
{
    char out[2048] = "";
    emf_read(line, strlen(line), 7, write_line, out);
    assert_string_equal(out, expected);
}

static void plain_and_malformed_lines_give_nothing(void **state)
{
    (void)state;
    gives("", "");
    gives("START \"_aws\"", "");
    gives("{\"_aws\": 1}", "");
    gives("{\"_aws\": {\"CloudWatchMetrics\": {}}}", "");
    gives("{\"_aws\": {\"CloudWatchMetrics\": [{\"Metrics\": [{\"Name\": \"m\"}]}]}, \"m\": 1}",
          "");
    gives("{\"_aws\": {\"CloudWatchMetrics\": [{\"Namespace\": \"N\", \"Metrics\": [{\"Name\": "
          "\"m\"}]}]}, \"m\": \"1\"}",
          "");
    gives("{\"_aws\": {\"CloudWatchMetrics\": [{\"Namespace\": \"N\", \"Dimensions\": [[\"d\"]], "
          "\"Metrics\": [{\"Name\": \"m\"}]}]}, \"m\": 1}",
          "");
}

static void every_set_of_dimensions_gets_every_value(void **state)
{
    (void)state;
    gives("{\"_aws\": {\"Timestamp\": 99, \"CloudWatchMetrics\": [{\"Namespace\": \"N\", "
          "\"Dimensions\": [[\"f\"], [\"f\", \"v\"], []], \"Metrics\": [{\"Name\": \"ms\", "
          "\"Unit\": \"Milliseconds\"}, {\"Name\": \"n\"}]}]}, \"f\": \"fn\", \"v\": \"1\", "
          "\"ms\": 2.5, \"n\": [1, 2]}",
          "N ms{f=fn,}=2.5 Milliseconds @99\nN n{f=fn,}=1 None @99\nN n{f=fn,}=2 None @99\n"
          "N ms{f=fn,v=1,}=2.5 Milliseconds @99\nN n{f=fn,v=1,}=1 None @99\n"
          "N n{f=fn,v=1,}=2 None @99\n"
          "N ms{}=2.5 Milliseconds @99\nN n{}=1 None @99\nN n{}=2 None @99\n");
    gives(" {\"_aws\": {\"CloudWatchMetrics\": [{\"Namespace\": \"N\", \"Metrics\": [{\"Name\": "
          "\"m\"}]}]}, \"m\": 1}\n",
          "N m{}=1 None @7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_malformed_lines_give_nothing),
        cmocka_unit_test(every_set_of_dimensions_gets_every_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
