#include "base/file.h"
#include "edge/answer.h"
#include "edge/deployment.h"
#include "edge/retry.h"
#include "edge/samples.h"
#include "edge/summary.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static void percentiles_are_nearest_rank(void **state)
{
    (void)state;
    struct err err = {0};
    struct samples samples;
    samples_init(&samples);
    assert_near(samples_percentile(&samples, 50), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(samples_add(&samples, i * 7 % 1000 + 1, &err), 0);
    assert_near(samples_percentile(&samples, 0), 1);
    assert_near(samples_percentile(&samples, 50), 500);
    assert_near(samples_percentile(&samples, 95), 950);
    assert_near(samples_percentile(&samples, 99), 990);
    assert_near(samples_percentile(&samples, 100), 1000);
    samples_finish(&samples);
    assert_int_equal(samples_add(&samples, 3, &err), 0);
    assert_near(samples_percentile(&samples, 1), 3);
    assert_near(samples_percentile(&samples, 99), 3);
    assert_int_equal(samples_add(&samples, NAN, &err), -1);
    assert_int_equal(samples_add(&samples, INFINITY, &err), -1);
    samples_finish(&samples);
}

static struct answer parsed(const char *text)
{
    struct err err = {0};
    struct answer answer;
    if (answer_parse(&answer, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", text, err.message);
    return answer;
}

static void what_the_function_did_not_say_is_no_answer(void **state)
{
    (void)state;
    const char *const bodies[] = {
        "",
        "<html>",
        "[]",
        "{\"message\": \"Forbidden\"}",
        "{\"key\": \"1.png\"}",
        "{\"key\": 7, \"response\": \"x\"}",
        "{\"response\": \"x\"}",
        "{\"key\": \"1.png\", \"response\": \"x\"} trailing",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct err err = {0};
        struct answer answer;
        assert_int_equal(answer_parse(&answer, bodies[i], strlen(bodies[i]), &err), -1);
        assert_null(answer.body);
    }
}

static void a_record_may_hold_numbers_of_any_length(void **state)
{
    (void)state;
    struct answer answer =
        parsed("{\"key\": \"1.png\", \"response\": \"Id: 1\", \"faces\": [{\"name\": "
               "\"a\", \"similarity\": 1}], \"record\": {\"id\": "
               "12345678901234567890123}, \"timings_ms\": {\"total\": 7}}");
    assert_string_equal(answer.name, "a");
    assert_near(answer.function_ms, 7);
    answer_finish(&answer);
}

static const char known[] = "{\"key\": \"1.png\", \"response\": \"Id: 1\", \"faces\": "
                            "[{\"name\": \"a\", \"similarity\": 0.7}, {\"name\": \"b\"}]}";
static const char stranger[] = "{\"key\": \"1.png\", \"error\": \"UnknownFace\", \"faces\": "
                               "[{\"name\": \"unknown\", \"similarity\": 0.1}]}";
static const char nobody[] = "{\"key\": \"1.png\", \"error\": \"NoFace\", \"message\": \"none\"}";

static void verdicts_follow_the_first_face(void **state)
{
    (void)state;
    const struct {
        const char *body, *expect;
        enum verdict verdict;
    } cases[] = {
        {known, "a", VERDICT_RIGHT},       {known, "b", VERDICT_WRONG},
        {known, "unknown", VERDICT_WRONG}, {known, NULL, VERDICT_NONE},
        {stranger, "a", VERDICT_UNKNOWN},  {stranger, "unknown", VERDICT_RIGHT},
        {nobody, "a", VERDICT_UNKNOWN},    {nobody, "unknown", VERDICT_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = parsed(cases[i].body);
        assert_int_equal(answer_verdict(&answer, cases[i].expect), cases[i].verdict);
        answer_finish(&answer);
    }
}

static double sum_of(const double stage_ms[STAGE_COUNT])
{
    double sum = 0;
    for (int i = STAGE_gateway_and_queue; i <= STAGE_way_back; i++)
        sum += isfinite(stage_ms[i]) ? stage_ms[i] : 0;
    return sum;
}

static void a_round_trip_is_spread_over_its_stages(void **state)
{
    (void)state;
    double stage_ms[STAGE_COUNT];
    struct answer answer =
        parsed("{\"key\": \"1\", \"error\": \"x\", \"timings_ms\": {\"fetch\": 1, \"detect\": 2.5, "
               "\"total\": 4, \"embed\": 0, \"started_unix_us\": 1003000}}");
    answer_stages(&answer, 1000, 9, stage_ms);
    assert_near(stage_ms[STAGE_gateway_and_queue], 3);
    assert_near(stage_ms[STAGE_fetch], 1);
    assert_near(stage_ms[STAGE_detect], 2.5);
    assert_near(stage_ms[STAGE_function_other], 0.5);
    assert_near(stage_ms[STAGE_way_back], 2);
    assert_true(isnan(stage_ms[STAGE_embed]));
    assert_near(sum_of(stage_ms), 9);
    answer_stages(&answer, 500, 9, stage_ms); /* clocks that cannot agree */
    assert_near(stage_ms[STAGE_gateway_and_queue], 5);
    assert_true(isnan(stage_ms[STAGE_way_back]));
    assert_near(sum_of(stage_ms), 9);
    answer_finish(&answer);
}

static void pauses_double_up_to_a_limit_and_end(void **state)
{
    (void)state;
    struct retry retry;
    retry_start(&retry, 3600);
    int ceiling_ms = RETRY_FIRST_PAUSE_MS;
    for (int i = 0; i < 20; i++) {
        int pause_ms = retry_next_pause(&retry, retry.give_up_ns - 3600000000000u);
        assert_in_range(pause_ms, ceiling_ms / 2, ceiling_ms);
        ceiling_ms = ceiling_ms * 2 < RETRY_MAX_PAUSE_MS ? ceiling_ms * 2 : RETRY_MAX_PAUSE_MS;
    }
    assert_true(retry_next_pause(&retry, retry.give_up_ns - 5000000) <= 5);
    assert_int_equal(retry_next_pause(&retry, retry.give_up_ns), -1);
}

static int read_deployment(const char *text, struct deployment *deployment, struct err *err)
{
    char path[] = "/tmp/ken-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int result = deployment_read(deployment, path, err);
    unlink(path);
    return result;
}

#define DEPLOYMENT(auth)                                                                           \
    "{\"region\": \"r\", \"endpoint\": null, \"frames_bucket\": \"f\", \"videos_bucket\": \"v\", " \
    "\"function\": \"fn\", \"api_url\": \"http://h/p\", \"auth\": \"" auth "\"}"

static void a_wrong_deployment_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct deployment deployment;
    assert_int_equal(deployment_read(&deployment, "/tmp/ken-absent.json", &err), -1);
    assert_non_null(strstr(err.message, "ken deploy"));
    assert_int_equal(read_deployment("", &deployment, &err), -1);
    assert_int_equal(read_deployment("{}", &deployment, &err), -1);
    assert_int_equal(read_deployment(DEPLOYMENT("magic"), &deployment, &err), -1);
    assert_int_equal(read_deployment(DEPLOYMENT("key"), &deployment, &err), -1);
    assert_non_null(strstr(err.message, "api_key"));
    assert_int_equal(read_deployment(DEPLOYMENT("iam"), &deployment, &err), 0);
    assert_string_equal(deployment.videos_bucket, "v");
}

static int add(struct summary *summary, const char *line)
{
    struct err err = {0};
    return summary_add_line(summary, line, strlen(line), "r.jsonl", &err);
}

#define HEADER                                                                                     \
    "{\"type\": \"header\", \"version\": 1, \"function\": \"f\", \"started_unix_ms\": 100}"
#define FRAME(verdict, ms)                                                                         \
    "{\"type\": \"frame\", \"expect\": \"a\", \"verdict\": \"" verdict                             \
    "\", \"latency_ms\": {\"total\": " ms "}}"
#define LOST "{\"type\": \"frame\", \"expect\": \"a\", \"verdict\": \"none\", \"lost\": \"gone\"}"
#define FOOTER(answers, lost, dropped)                                                             \
    "{\"type\": \"footer\", \"frames\": 60, \"requests\": 4, \"retries\": 1, "                     \
    "\"answers\": " answers ", \"lost\": " lost ", \"dropped\": " dropped                          \
    ", \"ended_unix_ms\": 900}"

static void reports_are_added_up(void **state)
{
    (void)state;
    struct summary summary;
    struct err err = {0};
    summary_init(&summary);
    for (int run = 0; run < 2; run++) {
        assert_int_equal(add(&summary, HEADER), 0);
        assert_int_equal(add(&summary, FRAME("right", "10")), 0);
        assert_int_equal(add(&summary, FRAME("wrong", "30")), 0);
        assert_int_equal(add(&summary, FRAME("unknown", "20")), 0);
        assert_int_equal(add(&summary, LOST), 0);
        assert_int_equal(add(&summary, FOOTER("3", "2", "1")), 0);
    }
    summary.invocations = 8;
    json_t *json = summary_json(&summary);
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6));
    assert_string_equal(
        text, "{\"frames\":120,\"requests\":8,\"answers\":6,\"lost\":4,\"wrong\":2,"
              "\"invocations\":8,\"people\":{\"a\":{\"right\":2,\"wrong\":2,\"unknown\":2}},"
              "\"latency_ms\":{\"total\":{\"min\":10.0,\"p50\":20.0,\"p95\":30.0,\"p99\":30.0,"
              "\"max\":30.0}},\"cold_starts\":0,\"dropped\":2,\"retries\":2}");
    free(text);
    json_decref(json);
    assert_int_equal(summary_check(&summary, &err), -1);
    summary_finish(&summary);
}

static void a_report_that_contradicts_itself_is_refused(void **state)
{
    (void)state;
    struct summary summary;
    summary_init(&summary);
    assert_int_equal(add(&summary, FRAME("right", "1")), -1);
    assert_int_equal(add(&summary, "nonsense"), -1);
    assert_int_equal(add(&summary, "{\"type\": \"header\", \"version\": 99}"), -1);
    assert_int_equal(add(&summary, HEADER), 0);
    assert_int_equal(add(&summary, FRAME("right", "1")), 0);
    assert_int_equal(add(&summary, FOOTER("2", "0", "0")), -1);
    assert_int_equal(add(&summary, FOOTER("1", "1", "0")), -1);
    assert_int_equal(add(&summary, FOOTER("1", "0", "0")), 0);
    assert_int_equal(add(&summary, FRAME("right", "1")), -1);
    summary_finish(&summary);
}

static void a_report_without_its_end_is_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/ken-test-XXXXXX";
    struct err err = {0};
    struct summary summary;
    summary_init(&summary);
    int fd = mkstemp(path);
    dprintf(fd, "%s\n%s\n", HEADER, FRAME("right", "1"));
    close(fd);
    assert_int_equal(summary_add_report(&summary, path, &err), -1);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.message, "no footer"));
    unlink(path);
    assert_int_equal(summary_add_report(&summary, path, &err), -1);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    summary_finish(&summary);
}

static void the_check_finds_what_is_not_so(void **state)
{
    (void)state;
    struct err err = {0};
    struct summary_person people[] = {{"a", 5, 0, 1}};
    struct summary good = {
        .requests = 6, .answers = 6, .invocations = 6, .people = people, .people_count = 1};
    assert_int_equal(summary_check(&good, &err), 0);
    struct summary bad = good;
    bad.lost = 1;
    assert_int_equal(summary_check(&bad, &err), -1);
    bad = good;
    bad.invocations = 5;
    assert_int_equal(summary_check(&bad, &err), -1);
    bad.invocations = 7;
    assert_int_equal(summary_check(&bad, &err), -1);
    bad.retries = 1;
    assert_int_equal(summary_check(&bad, &err), 0);
    people[0].wrong = 1;
    assert_int_equal(summary_check(&good, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_nearest_rank),
        cmocka_unit_test(what_the_function_did_not_say_is_no_answer),
        cmocka_unit_test(a_record_may_hold_numbers_of_any_length),
        cmocka_unit_test(verdicts_follow_the_first_face),
        cmocka_unit_test(a_round_trip_is_spread_over_its_stages),
        cmocka_unit_test(pauses_double_up_to_a_limit_and_end),
        cmocka_unit_test(a_wrong_deployment_is_refused),
        cmocka_unit_test(reports_are_added_up),
        cmocka_unit_test(a_report_that_contradicts_itself_is_refused),
        cmocka_unit_test(a_report_without_its_end_is_refused),
        cmocka_unit_test(the_check_finds_what_is_not_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
