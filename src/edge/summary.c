#include "edge/summary.h"

#include "edge/report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct percentile {
    const char *name;
    double percent;
} percentiles[] = {{"min", 0}, {"p50", 50}, {"p95", 95}, {"p99", 99}, {"max", 100}};
enum { PERCENTILES = sizeof percentiles / sizeof *percentiles };

void summary_init(struct summary *summary)
{
    *summary = (struct summary){.invocations = -1};
    for (int i = 0; i < STAGE_COUNT; i++)
        samples_init(&summary->stages[i]);
}

void summary_finish(struct summary *summary)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        samples_finish(&summary->stages[i]);
    free(summary->people);
    summary_init(summary);
}

static struct summary_person *person_of(struct summary *summary, const char *name, struct err *err)
{
    for (size_t i = 0; i < summary->people_count; i++)
        if (strcmp(summary->people[i].name, name) == 0)
            return &summary->people[i];
    if (summary->people_count == SUMMARY_MAX_PEOPLE ||
        strlen(name) >= sizeof summary->people->name) {
        err_set(err, ERR_TOO_BIG, "more than %d people, or a name too long", SUMMARY_MAX_PEOPLE);
        return NULL;
    }
    struct summary_person *people =
        realloc(summary->people, (summary->people_count + 1) * sizeof *people);
    if (!people) {
        err_set(err, ERR_NO_MEMORY, "count people: out of memory");
        return NULL;
    }
    summary->people = people;
    struct summary_person *person = &people[summary->people_count++];
    *person = (struct summary_person){0};
    snprintf(person->name, sizeof person->name, "%s", name);
    return person;
}

static int64_t integer_of(const json_t *line, const char *name)
{
    return json_integer_value(json_object_get(line, name));
}

static uint64_t count_of(const json_t *line, const char *name)
{
    int64_t value = integer_of(line, name);
    return value < 0 ? 0 : (uint64_t)value;
}

static int add_header(struct summary *summary, const json_t *line, struct err *err)
{
    if (integer_of(line, "version") != REPORT_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "a report of another version");
    const char *function = json_string_value(json_object_get(line, "function"));
    if (!function || strlen(function) >= sizeof summary->function)
        return err_set(err, ERR_CORRUPT, "the header names no function");
    if (summary->runs > 0 && strcmp(function, summary->function) != 0)
        return err_set(err, ERR_INVALID, "is of function %s, the others are of %s", function,
                       summary->function);
    snprintf(summary->function, sizeof summary->function, "%s", function);
    int64_t started = integer_of(line, "started_unix_ms");
    if (summary->runs == 0 || started < summary->started_unix_ms)
        summary->started_unix_ms = started;
    summary->runs++;
    summary->frame_lines = summary->answer_lines = 0;
    summary->ended = 0;
    return 0;
}

static int add_verdict(struct summary *summary, const json_t *line, struct err *err)
{
    const char *verdict = json_string_value(json_object_get(line, "verdict"));
    const char *expect = json_string_value(json_object_get(line, "expect"));
    if (!verdict || !expect || strcmp(verdict, "none") == 0)
        return 0;
    struct summary_person *person = person_of(summary, expect, err);
    if (!person)
        return -1;
    person->right += strcmp(verdict, "right") == 0;
    person->wrong += strcmp(verdict, "wrong") == 0;
    person->unknown += strcmp(verdict, "unknown") == 0;
    return 0;
}

static int add_stages(struct summary *summary, const json_t *stages, struct err *err)
{
    for (int i = 0; i < STAGE_COUNT; i++) {
        const json_t *ms = json_object_get(stages, stage_name((enum stage)i));
        if (json_is_number(ms) && samples_add(&summary->stages[i], json_number_value(ms), err) < 0)
            return -1;
    }
    return 0;
}

static int add_frame(struct summary *summary, const json_t *line, struct err *err)
{
    if (summary->runs == 0 || summary->ended)
        return err_set(err, ERR_CORRUPT, "a frame outside of a run");
    summary->frame_lines++;
    if (json_object_get(line, "lost"))
        return 0;
    summary->answer_lines++;
    summary->cold_starts += json_is_true(json_object_get(line, "cold_start"));
    if (add_verdict(summary, line, err) < 0)
        return -1;
    return add_stages(summary, json_object_get(line, "latency_ms"), err);
}

static int add_footer(struct summary *summary, const json_t *line, struct err *err)
{
    uint64_t answers = count_of(line, "answers"), lost = count_of(line, "lost");
    uint64_t dropped = count_of(line, "dropped");
    if (summary->runs == 0 || summary->ended || answers != summary->answer_lines ||
        lost != summary->frame_lines - summary->answer_lines + dropped)
        return err_set(err, ERR_CORRUPT, "the footer contradicts the lines before it");
    summary->frames += count_of(line, "frames");
    summary->requests += count_of(line, "requests");
    summary->retries += count_of(line, "retries");
    summary->answers += answers;
    summary->lost += lost;
    summary->dropped += dropped;
    int64_t ended = integer_of(line, "ended_unix_ms");
    if (ended > summary->ended_unix_ms)
        summary->ended_unix_ms = ended;
    summary->ended = 1;
    return 0;
}

int summary_add_line(struct summary *summary, const char *text, size_t size, const char *what,
                     struct err *err)
{
    json_error_t where;
    json_t *line = json_loadb(text, size, 0, &where);
    const char *type = json_string_value(json_object_get(line, "type"));
    int result = -1;
    if (!type)
        err_set(err, ERR_CORRUPT, "not a report of ken edge");
    else if (strcmp(type, "header") == 0)
        result = add_header(summary, line, err);
    else if (strcmp(type, "frame") == 0)
        result = add_frame(summary, line, err);
    else if (strcmp(type, "footer") == 0)
        result = add_footer(summary, line, err);
    else
        result = 0; /* of a later version */
    json_decref(line);
    return result < 0 ? err_wrap(err, "read %s", what) : 0;
}

static int add_lines(struct summary *summary, FILE *file, const char *path, struct err *err)
{
    char *line = NULL;
    size_t capacity = 0;
    int result = 0;
    summary->ended = 0;
    for (ssize_t size; result == 0 && (size = getline(&line, &capacity, file)) > 0;) {
        if (size > SUMMARY_MAX_LINE_BYTES)
            result = err_set(err, ERR_TOO_BIG, "read %s: a line of %zd bytes", path, size);
        else
            result = summary_add_line(summary, line, (size_t)size, path, err);
    }
    free(line);
    if (result == 0 && ferror(file))
        return err_set_errno(err, "read %s", path);
    if (result == 0 && !summary->ended)
        return err_set(err, ERR_CORRUPT, "read %s: no footer: that run did not finish", path);
    return result;
}

int summary_add_report(struct summary *summary, const char *path, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set_errno(err, "read %s", path);
    int result = add_lines(summary, file, path, err);
    fclose(file);
    return result;
}

uint64_t summary_wrong(const struct summary *summary)
{
    uint64_t wrong = 0;
    for (size_t i = 0; i < summary->people_count; i++)
        wrong += summary->people[i].wrong;
    return wrong;
}

int summary_check(const struct summary *summary, struct err *err)
{
    if (summary->lost > 0)
        return err_set(err, ERR_UNAVAILABLE, "%" PRIu64 " frames without an answer", summary->lost);
    if (summary_wrong(summary) > 0)
        return err_set(err, ERR_INVALID, "%" PRIu64 " answers name the wrong person",
                       summary_wrong(summary));
    if (summary->invocations < 0)
        return 0;
    uint64_t invocations = (uint64_t)summary->invocations;
    if (invocations < summary->requests || invocations > summary->requests + summary->retries)
        return err_set(err, ERR_INVALID,
                       "CloudWatch counts %" PRIu64 " invocations for %" PRIu64 " requests",
                       invocations, summary->requests);
    return 0;
}

static json_t *percentiles_json(struct samples *samples)
{
    json_t *object = json_object();
    for (size_t i = 0; i < PERCENTILES; i++) {
        double ms = samples_percentile(samples, percentiles[i].percent);
        json_object_set_new(object, percentiles[i].name, json_real(round(ms * 1000) / 1000));
    }
    return object;
}

json_t *summary_json(struct summary *summary)
{
    json_t *people = json_object(), *latency = json_object();
    for (size_t i = 0; i < summary->people_count; i++) {
        const struct summary_person *p = &summary->people[i];
        json_object_set_new(people, p->name,
                            json_pack("{sI sI sI}", "right", (json_int_t)p->right, "wrong",
                                      (json_int_t)p->wrong, "unknown", (json_int_t)p->unknown));
    }
    for (int k = 0; k < STAGE_COUNT; k++) {
        int i = (STAGE_total + k) % STAGE_COUNT; /* the total first */
        if (summary->stages[i].count > 0)
            json_object_set_new(latency, stage_name((enum stage)i),
                                percentiles_json(&summary->stages[i]));
    }
    json_t *invocations =
        summary->invocations < 0 ? json_null() : json_integer(summary->invocations);
    return json_pack("{sI sI sI sI sI so so so sI sI sI}", "frames", (json_int_t)summary->frames,
                     "requests", (json_int_t)summary->requests, "answers",
                     (json_int_t)summary->answers, "lost", (json_int_t)summary->lost, "wrong",
                     (json_int_t)summary_wrong(summary), "invocations", invocations, "people",
                     people, "latency_ms", latency, "cold_starts", (json_int_t)summary->cold_starts,
                     "dropped", (json_int_t)summary->dropped, "retries",
                     (json_int_t)summary->retries);
}

static void people_table(const struct summary *summary, struct buf *out)
{
    if (summary->people_count == 0)
        return;
    buf_printf(out, "\n%-24s %8s %8s %8s\n", "who was there", "right", "wrong", "unknown");
    for (size_t i = 0; i < summary->people_count; i++) {
        const struct summary_person *p = &summary->people[i];
        buf_printf(out, "  %-22s %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n", p->name, p->right,
                   p->wrong, p->unknown);
    }
}

static void latency_table(struct summary *summary, struct buf *out)
{
    buf_printf(out, "\n%-24s", "milliseconds");
    for (size_t i = 0; i < PERCENTILES; i++)
        buf_printf(out, " %8s", percentiles[i].name);
    buf_puts(out, "\n");
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (summary->stages[i].count == 0)
            continue;
        buf_printf(out, "  %-22s",
                   i == STAGE_total ? "capture to answer" : stage_name((enum stage)i));
        for (size_t k = 0; k < PERCENTILES; k++)
            buf_printf(out, " %8.2f",
                       samples_percentile(&summary->stages[i], percentiles[k].percent));
        buf_puts(out, "\n");
    }
    double mid_ms = samples_percentile(&summary->stages[STAGE_total], 50);
    if (mid_ms > 0)
        buf_printf(out, "  the original system    %8.0f on average: %.0f times the p50 above\n",
                   SUMMARY_ORIGINAL_MS, SUMMARY_ORIGINAL_MS / mid_ms);
}

void summary_table(struct summary *summary, struct buf *out)
{
    buf_printf(out,
               "%" PRIu64 " run%s: %" PRIu64 " frames, %" PRIu64 " requests, %" PRIu64
               " answers, %" PRIu64 " lost",
               summary->runs, summary->runs == 1 ? "" : "s", summary->frames, summary->requests,
               summary->answers, summary->lost);
    if (summary->dropped > 0)
        buf_printf(out, " (%" PRIu64 " dropped by a full queue)", summary->dropped);
    if (summary->retries > 0)
        buf_printf(out, ", %" PRIu64 " repeated", summary->retries);
    buf_puts(out, "\n");
    if (summary->invocations >= 0)
        buf_printf(out, "invocations by CloudWatch: %" PRId64 "; cold starts: %" PRIu64 "\n",
                   summary->invocations, summary->cold_starts);
    people_table(summary, out);
    latency_table(summary, out);
}
