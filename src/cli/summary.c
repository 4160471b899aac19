#include "edge/summary.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "edge/invocations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_MAX_BYTES = 1024 * 1024, POLL_MS = 500 };

struct summary_settings {
    const char *output, *deployment;
    double wait_s;
};

/* CloudWatch learns of an invocation a little later than its caller. */
static int ask_cloudwatch(struct summary *summary, const struct summary_settings *settings,
                          struct err *err)
{
    struct deployment deployment;
    if (deployment_read(&deployment, settings->deployment, err) < 0)
        return -1;
    uint64_t give_up_ns = clock_monotonic_ns() + (uint64_t)(settings->wait_s * 1e9);
    for (;;) {
        int64_t count =
            invocations_count(&deployment, summary->started_unix_ms, summary->ended_unix_ms, err);
        if (count < 0)
            return err_wrap(err, "count invocations");
        summary->invocations = count;
        if ((uint64_t)count >= summary->requests || clock_monotonic_ns() >= give_up_ns)
            return 0;
        clock_sleep_until_ns(clock_monotonic_ns() + POLL_MS * UINT64_C(1000000));
    }
}

static int print_table(struct summary *summary, struct err *err)
{
    struct buf table;
    buf_init(&table, TABLE_MAX_BYTES);
    summary_table(summary, &table);
    int failed = table.failed;
    if (!failed)
        fputs(table.data, stdout);
    buf_finish(&table);
    return failed ? err_set(err, ERR_TOO_BIG, "print summary: too many people") : 0;
}

static int write_json(struct summary *summary, const char *path, struct err *err)
{
    json_t *json = summary_json(summary);
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "write %s: out of memory", path);
    struct buf out;
    buf_init(&out, TABLE_MAX_BYTES);
    buf_printf(&out, "%s\n", text);
    free(text);
    int result = out.failed ? err_set(err, ERR_TOO_BIG, "write %s: too many people", path)
                            : file_write(path, out.data, out.size, 0644, err);
    buf_finish(&out);
    return result;
}

static int run(struct summary *summary, const struct summary_settings *settings, char **reports,
               struct err *err)
{
    if (settings->output && file_check_writable(settings->output, err) < 0)
        return -1; /* before waiting for CloudWatch */
    for (; *reports; reports++)
        if (summary_add_report(summary, *reports, err) < 0)
            return -1;
    /* what the reports tell is worth showing without CloudWatch too */
    struct err unasked = {0};
    int asked = settings->deployment ? ask_cloudwatch(summary, settings, &unasked) : 0;
    if (print_table(summary, err) < 0)
        return -1;
    if (settings->output && write_json(summary, settings->output, err) < 0)
        return -1;
    if (asked < 0)
        *err = unasked;
    return asked < 0 ? -1 : summary_check(summary, err);
}

static const char details[] =
    "Fails when a frame was lost, a person was taken for another, or CloudWatch's count of\n"
    "invocations is not that of the requests (the function asked by nobody else meanwhile).\n"
    "\n"
    "examples:\n"
    "  ken summary run.jsonl\n"
    "  ken summary --deployment deployment.json -o summary.json runs/*.jsonl";

int verb_summary(int argc, char **argv)
{
    struct summary_settings settings = {.wait_s = 15};
    const struct option_spec specs[] = {
        {"output", 'o', OPTION_TEXT, &settings.output, "FILE", "write the summary there as JSON"},
        {"deployment", 0, OPTION_TEXT, &settings.deployment, "FILE",
         "what ken deploy wrote: ask its CloudWatch for the invocations"},
        {"wait", 0, OPTION_REAL, &settings.wait_s, "S",
         "wait up to S seconds for CloudWatch's count (15; AWS may need 180)", 0, 3600},
        {0},
    };
    const struct command_line line = {
        .verb = "summary",
        .summary =
            "Add up the reports of ken edge: answers, people, latency by stage, invocations.",
        .operands = "REPORT...",
        .details = details,
        .options = specs,
    };
    struct err err = {0};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    if (first == argc) {
        err_set(&err, ERR_INVALID, "give at least one REPORT (see ken summary --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    struct summary summary;
    summary_init(&summary);
    int result = run(&summary, &settings, argv + first, &err);
    summary_finish(&summary);
    return result < 0 ? options_fail(&line, &err) : EXIT_OK;
}
