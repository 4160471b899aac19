#include "edge/report.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JSON_DIGITS = 9 };

struct report {
    FILE *file;
    char path[1024];
    const char *expect; /* the options' */
    int failed;         /* errno of the first failure */
};

struct report *report_create(const char *path, struct err *err)
{
    struct report *report = calloc(1, sizeof *report);
    if (!report) {
        err_set(err, ERR_NO_MEMORY, "create %s: out of memory", path);
        return NULL;
    }
    snprintf(report->path, sizeof report->path, "%s", path);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    report->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!report->file) {
        err_set_errno(err, "create %s", path);
        if (fd >= 0)
            close(fd);
        free(report);
        return NULL;
    }
    return report;
}

void report_destroy(struct report *report)
{
    if (!report)
        return;
    if (report->file)
        fclose(report->file);
    free(report);
}

/* Takes the line over. */
static void write_line(struct report *report, json_t *line)
{
    errno = ENOMEM;
    int written = line && json_dumpf(line, report->file, JSON_REAL_PRECISION(JSON_DIGITS)) == 0 &&
                  fputc('\n', report->file) != EOF && fflush(report->file) == 0;
    if (!written && !report->failed)
        report->failed = errno ? errno : EIO;
    json_decref(line);
}

static json_t *text_or_null(const char *text)
{
    json_t *value = text ? json_string(text) : NULL; /* NULL too for a name that is no UTF-8 */
    return value ? value : json_null();
}

static json_t *rounded(double ms)
{
    return json_real(round(ms * 1000) / 1000);
}

void report_header(struct report *report, const struct edge_options *options, double fps)
{
    if (!report)
        return;
    report->expect = options->expect;
    int64_t now_ms = clock_unix_ms();
    char now[CLOCK_TEXT_BYTES];
    clock_text(now_ms, now);
    write_line(report,
               json_pack("{ss si ss sI so sf sf sf sI ss so ss ss ss}", "type", "header", "version",
                         REPORT_VERSION, "started", now, "started_unix_ms", (json_int_t)now_ms,
                         "video", text_or_null(options->video), "start_s", options->source.start_s,
                         "seconds", options->source.seconds, "fps", fps, "every",
                         (json_int_t)options->every, "format",
                         options->format == IMAGE_PNG ? "png" : "jpeg", "expect",
                         text_or_null(options->expect), "function", options->deployment->function,
                         "api_url", options->deployment->api_url, "bucket",
                         options->deployment->frames_bucket));
}

json_t *report_frame_json(const struct edge_frame *frame)
{
    const struct answer *answer = frame->answer;
    json_t *stages = json_object();
    for (int i = 0; i < STAGE_COUNT; i++)
        if (isfinite(frame->stage_ms[i]))
            json_object_set_new(stages, stage_name((enum stage)i), rounded(frame->stage_ms[i]));
    json_t *line =
        json_pack("{ss ss sI sI sI si ss so}", "type", "frame", "key", frame->key, "number",
                  (json_int_t)frame->number, "captured_unix_ms",
                  (json_int_t)frame->captured_unix_ms, "bytes", (json_int_t)frame->bytes, "asked",
                  frame->asked, "verdict", verdict_name(frame->verdict), "latency_ms", stages);
    if (frame->queued)
        json_object_set_new(line, "queued", json_true());
    if (frame->late)
        json_object_set_new(line, "late", json_true());
    if (frame->by_device)
        json_object_set_new(line, "by_device", json_true());
    if (!answer) {
        json_object_set_new(line, frame->queued ? "because" : "lost",
                            text_or_null(frame->lost_because));
        return line;
    }
    json_object_set_new(line, "status", json_integer(frame->status));
    json_object_set_new(line, "cold_start", json_boolean(answer->cold_start));
    json_object_set_new(line, "name", text_or_null(answer->name));
    if (isfinite(answer->similarity))
        json_object_set_new(line, "similarity", rounded(answer->similarity));
    json_object_set_new(line, "error", text_or_null(answer->error));
    json_object_set_new(line, "response", text_or_null(answer->response));
    return line;
}

json_t *report_visit_json(const struct track_event *event)
{
    char at[CLOCK_TEXT_BYTES], entered[CLOCK_TEXT_BYTES];
    clock_text(event->at_ms, at);
    clock_text(event->entered_ms, entered);
    json_t *line = json_pack("{ss ss sI ss sI ss si s[ffff]}", "type", "visit", "event",
                             track_event_name(event->kind), "visit", (json_int_t)event->visit,
                             "time", at, "unix_ms", (json_int_t)event->at_ms, "entered", entered,
                             "looks", event->looks, "box", (double)event->box[0],
                             (double)event->box[1], (double)event->box[2], (double)event->box[3]);
    if (event->kind != TRACK_ENTER)
        json_object_set_new(line, "name",
                            event->has_name ? text_or_null(event->name) : json_null());
    if (event->has_name)
        json_object_set_new(line, "similarity", json_real(event->similarity));
    if (event->kind == TRACK_LEAVE)
        json_object_set_new(line, "seconds",
                            json_real((double)(event->at_ms - event->entered_ms) / 1000));
    return line;
}

void report_frame(struct report *report, const struct edge_frame *frame)
{
    if (!report)
        return;
    json_t *line = report_frame_json(frame);
    if (report->expect)
        json_object_set_new(line, "expect", json_string(report->expect));
    write_line(report, line);
}

void report_footer(struct report *report, const struct edge_totals *totals)
{
    if (!report)
        return;
    const struct recorder_result *recording = &totals->recording;
    int64_t now_ms = clock_unix_ms();
    json_t *video = json_null();
    if (recording->frames > 0)
        video = json_pack("{so sI sI sI sf sb}", "file", text_or_null(recording->path), "frames",
                          (json_int_t)recording->frames, "dropped", (json_int_t)recording->dropped,
                          "bytes", (json_int_t)recording->bytes, "cpu_s", recording->cpu_s,
                          "stored", totals->stored);
    write_line(report,
               json_pack("{ss sI sI sI sI sI sI sI sI sf sf so}", "type", "footer", "ended_unix_ms",
                         (json_int_t)now_ms, "frames", (json_int_t)totals->frames, "sampled",
                         (json_int_t)totals->sampled, "dropped", (json_int_t)totals->dropped,
                         "requests", (json_int_t)totals->requests, "retries",
                         (json_int_t)totals->retries, "answers", (json_int_t)totals->answers,
                         "lost", (json_int_t)totals->lost, "seconds", totals->seconds, "cpu_s",
                         totals->cpu_s, "recording", video));
}

int report_close(struct report *report, struct err *err)
{
    if (!report)
        return 0;
    int failed = report->failed;
    if (fclose(report->file) != 0 && !failed)
        failed = errno;
    report->file = NULL;
    if (failed) {
        errno = failed;
        err_set_errno(err, "write %s", report->path);
    }
    report_destroy(report);
    return failed ? -1 : 0;
}
