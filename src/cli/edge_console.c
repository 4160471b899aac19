#include "cli/edge_console.h"

#include "edge/notify.h"
#include "edge/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void print_answer(const struct edge_frame *frame)
{
    const struct answer *answer = frame->answer;
    json_t *line = json_pack("{ss}", "key", answer->key);
    if (answer->response)
        json_object_set_new(line, "response", json_string(answer->response));
    else
        json_object_set_new(line, "error", json_string(answer->error));
    if (answer->message)
        json_object_set_new(line, "message", json_string(answer->message));
    char *text = json_dumps(line, 0);
    printf("latency: %.3f seconds\n%s\n", frame->stage_ms[STAGE_total] / 1000, text ? text : "");
    free(text);
    json_decref(line);
}

/* A cause that lasts is said once. */
static void print_lost(struct edge_console *console, const struct edge_frame *frame)
{
    const char *what = frame->queued ? "queued" : "no answer";
    if (strcmp(console->last_cause, frame->lost_because) == 0) {
        printf("%s: %s: as before\n", what, frame->key);
        return;
    }
    snprintf(console->last_cause, sizeof console->last_cause, "%s", frame->lost_because);
    printf("%s: %s: %s\n", what, frame->key, frame->lost_because);
}

void edge_console_frame(void *context, const struct edge_frame *frame)
{
    struct edge_console *console = context;
    outlets_frame(console->outlets, frame);
    if (console->settings->json) {
        json_t *line = report_frame_json(frame);
        if (frame->answer)
            json_object_set(line, "answer", frame->answer->body);
        json_dumpf(line, stdout, JSON_REAL_PRECISION(9));
        putchar('\n');
        json_decref(line);
    } else if (frame->answer) {
        if (!console->settings->quiet)
            print_answer(frame);
    } else {
        print_lost(console, frame);
    }
    fflush(stdout);
}

void edge_console_notice(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%sken edge: %s\n", notify_prefix(4), text);
}

void edge_console_visit(void *context, const struct track_event *event)
{
    const struct edge_console *console = context;
    json_t *line = report_visit_json(event);
    outlets_visit(console->outlets, event);
    if (console->settings->json) {
        json_dumpf(line, stdout, JSON_REAL_PRECISION(6));
        putchar('\n');
    } else if (console->settings->visits ||
               (console->settings->best_shot && !console->settings->quiet)) {
        const char *who = event->has_name ? event->name : "unknown";
        if (event->kind == TRACK_NAME)
            printf("visit %" PRIu64 ": %s\n", event->visit, who);
        else if (event->kind == TRACK_ENTER)
            printf("visit %" PRIu64 ": somebody enters\n", event->visit);
        else
            printf("visit %" PRIu64 ": %s leaves after %.1f seconds\n", event->visit, who,
                   (double)(event->at_ms - event->entered_ms) / 1000);
    }
    fflush(stdout);
    json_decref(line);
}

void edge_console_status(void *context, const struct edge_status *status)
{
    const struct edge_console *console = context;
    outlets_status(console->outlets, status);
}

int edge_console_stop(void *context)
{
    struct edge_console *console = context;
    const struct timespec at_once = {0};
    if (!console->stopped && sigtimedwait(&console->stop_signals, NULL, &at_once) > 0) {
        console->stopped = 1;
        sigprocmask(SIG_UNBLOCK, &console->stop_signals, NULL);
        fprintf(stderr, "ken edge: stopping: the last frames and the recording are on their way\n");
    }
    return console->stopped;
}

static void print_stored(FILE *out, const struct recorder_result *recording, const char *bucket)
{
    char others[64] = "";
    if (recording->files > 1)
        snprintf(others, sizeof others, " and %" PRIu64 " before it", recording->files - 1);
    fprintf(out, "video: %s%s (%" PRIu64 " frames, %.2f MB) %s in bucket %s\n",
            strrchr(recording->path, '/') + 1, others, recording->frames,
            (double)recording->bytes / 1e6, *others ? "are" : "is", bucket);
}

/* A folder of a few photos, a short clip: nothing is wrong, and nothing was seen. */
static void print_why_none(FILE *out, const struct edge_settings *settings)
{
    if (!settings->best_shot && !settings->when_face && settings->interval_ms <= 0)
        fprintf(out, "none was sent: of every %ld frames the last one is (--every 1 sends each)\n",
                settings->every);
}

void edge_console_end(const struct edge_settings *settings, const struct edge_totals *totals,
                      const struct deployment *deployment)
{
    const struct recorder_result *recording = &totals->recording;
    FILE *out = settings->json ? stderr : stdout;
    if (totals->stored)
        print_stored(out, &totals->recording, deployment->videos_bucket);
    if (recording->dropped > 0)
        fprintf(out, "video: %" PRIu64 " frames were not recorded: encoder or disk were too slow\n",
                recording->dropped);
    fprintf(out,
            "%" PRIu64 " frames, %" PRIu64 " requests, %" PRIu64 " answers, %" PRIu64
            " lost (%" PRIu64 " dropped, %" PRIu64 " repeated)",
            totals->frames, totals->requests, totals->answers, totals->lost, totals->dropped,
            totals->retries);
    if (totals->queued + totals->late + totals->waiting > 0)
        fprintf(out, "; %" PRIu64 " queued, %" PRIu64 " sent later, %" PRIu64 " waiting",
                totals->queued, totals->late, totals->waiting);
    if (totals->aside > 0)
        fprintf(out, ", %" PRIu64 " refused and set aside", totals->aside);
    if (settings->expect)
        fprintf(out, ": %" PRIu64 " right, %" PRIu64 " wrong, %" PRIu64 " unknown",
                totals->verdicts[VERDICT_RIGHT], totals->verdicts[VERDICT_WRONG],
                totals->verdicts[VERDICT_UNKNOWN]);
    fputc('\n', out);
    if (totals->sampled == 0)
        print_why_none(out, settings);
}
