#include "base/file.h"
#include "cloud/cloudwatch/store.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    char folder[64], path[128];
    struct metrics *metrics;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/ken_metrics_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/m.sqlite", f->folder);
    struct err err = {0};
    f->metrics = metrics_open(f->path, &err);
    assert_non_null(f->metrics);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err;
    metrics_close(f->metrics);
    assert_int_equal(file_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

static void an_empty_statistic_has_no_percentile(void **state)
{
    (void)state;
    struct statistic s = {0};
    statistic_add(&s, 5, 0);
    assert_true(s.count == 0 && statistic_percentile(&s, 50) == 0);
}

static void percentiles_stay_near_when_points_are_joined(void **state)
{
    (void)state;
    struct statistic s = {0};
    for (int i = 1; i <= 10000; i++)
        statistic_add(&s, (i * 7919) % 10000 + 1, 1);
    assert_int_equal(s.point_count, STATISTIC_MAX_POINTS);
    assert_true(s.count == 10000 && s.min == 1 && s.max == 10000 && s.sum == 50005000);
    for (int p = 5; p <= 99; p++)
        assert_true(fabs(statistic_percentile(&s, p) - p * 100) < p * 100 * 0.12);
}

static void collect(void *context, size_t bin, const struct statistic *values, const char *unit)
{
    struct statistic *bins = context;
    assert_string_equal(unit, "Count");
    statistic_merge(&bins[bin], values);
}

static const struct metric_dimension named[] = {{"FunctionName", "f"}, {"A", "b"}};

static struct metrics_query query_of(const char *dimensions)
{
    return (struct metrics_query){.series = {"AWS/Lambda", "Invocations", dimensions},
                                  .start_s = 6000,
                                  .end_s = 6240,
                                  .period_s = 120};
}

static void a_value_counts_at_once_and_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char *dimensions = metrics_dimensions(named, 2);
    assert_string_equal(dimensions, "{\"A\":\"b\",\"FunctionName\":\"f\"}");
    for (int i = 0; i < 5; i++)
        metrics_put(f->metrics, &(struct metric_value){"AWS/Lambda", "Invocations", named, 2, 1,
                                                       "Count", 6000000 + i * 60000});
    struct metrics_query query = query_of(dimensions);
    struct statistic bins[2] = {0};
    assert_int_equal(metrics_read(f->metrics, &query, collect, bins, &err), 0);
    assert_true(bins[0].sum == 2 && bins[1].sum == 2);
    metrics_close(f->metrics);
    f->metrics = metrics_open(f->path, &err);
    memset(bins, 0, sizeof bins);
    assert_int_equal(metrics_read(f->metrics, &query, collect, bins, &err), 0);
    assert_true(bins[0].sum == 2 && bins[1].sum == 2);
    free(dimensions);
}

static void another_series_is_not_counted(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    metrics_put(f->metrics,
                &(struct metric_value){"AWS/Lambda", "Invocations", named, 2, 1, "Count", 6000000});
    struct metrics_query query = query_of("{}");
    struct statistic bins[2] = {0};
    assert_int_equal(metrics_read(f->metrics, &query, collect, bins, &err), 0);
    assert_true(bins[0].count == 0);
}

static int see(void *context, int64_t id, const struct metrics_series *series)
{
    (void)id;
    assert_string_equal(series->name_space, "N");
    ++*(int *)context;
    return 1;
}

static void listing_filters_by_namespace(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    metrics_put(f->metrics, &(struct metric_value){"N", "a", NULL, 0, 1, "None", 1000});
    metrics_put(f->metrics, &(struct metric_value){"N", "b", NULL, 0, 1, "None", 1000});
    metrics_put(f->metrics, &(struct metric_value){"M", "c", NULL, 0, 1, "None", 1000});
    int seen = 0;
    struct metrics_filter filter = {.name_space = "N"};
    assert_int_equal(metrics_list(f->metrics, &filter, see, &seen, &err), 0);
    assert_int_equal(seen, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_statistic_has_no_percentile),
        cmocka_unit_test(percentiles_stay_near_when_points_are_joined),
        TEST(a_value_counts_at_once_and_after_a_restart),
        TEST(another_series_is_not_counted),
        TEST(listing_filters_by_namespace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
