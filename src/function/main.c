#include "aws/runtime.h"
#include "base/clock.h"
#include "base/core.h"
#include "function/clip.h"
#include "function/handler.h"
#include "function/notified.h"
#include "function/services.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ken-function: the function's program, `bootstrap` in its zip. Takes events from the Lambda
 * Runtime API one after another, for as long as the process lives. */

enum { MAX_ANSWER_BYTES = 6 * 1024 * 1024, MAX_RUNTIME_FAILURES = 5 };

/* What costs half a millisecond and more, and is of no use here. */
static const uint64_t openssl_leaves_out =
    OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
    OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS;

static void report(const char *message)
{
    fprintf(stderr, "ken-function: %s\n", message);
}

/* One line a request. It never says who was seen. */
static void log_request(const char *request_id, const struct handler_outcome *outcome, int cold)
{
    printf("{\"request_id\": \"%s\", \"status\": %d, \"error\": \"%s\", \"faces\": %zu, "
           "\"total_ms\": %.3f, \"cold_start\": %s}\n",
           request_id, outcome->status, outcome->error ? outcome->error : "", outcome->faces,
           outcome->total_ms, cold ? "true" : "false");
    fflush(stdout);
}

/* The caller has its answer already; the next event waits until this is done. */
static void archive(struct services *services, struct handler_outcome *outcome)
{
    struct err err = {0};
    if (outcome->archive.picture && services_archive(services, &outcome->archive, &err) < 0) {
        err_wrap(&err, "archive frame");
        report(err.message);
    }
    handler_outcome_finish(outcome);
}

/* Frames that came into the bucket: their answers go to the topic, and Lambda learns how many. 1:
 * the event is none of S3's. */
static int serve_notices(struct runtime *runtime, struct services *services,
                         const struct runtime_event *event, int cold, struct err *err)
{
    struct err why = {0};
    struct notice notices[NOTICE_MAX];
    int count = notices_read(notices, event->data, event->size, &why);
    if (count == 0)
        return 1;
    struct handler_parts parts = services_parts(services);
    const struct notified notified = {&parts, services, services_answer, clip_answer};
    struct handler_outcome outcome = {.status = 400};
    int done = count < 0 ? -1 : notified_answer(&notified, notices, count, cold, &outcome, &why);
    log_request(event->request_id, &outcome, cold);
    if (done < 0)
        return runtime_fail(runtime, event->request_id, "Ken.NotAnswered", why.message, err);
    char text[64];
    snprintf(text, sizeof text, "{\"answers\": %d}", count);
    return runtime_respond(runtime, event->request_id, text, strlen(text), err);
}

static int serve_one(struct runtime *runtime, struct services *services, int cold,
                     struct buf *answer, struct err *err)
{
    struct handler_parts parts = services_parts(services);
    struct runtime_event event;
    struct handler_outcome outcome;
    if (runtime_next(runtime, &event, err) < 0)
        return -1;
    buf_clear(answer);
    services_set_deadline(services, event.deadline_unix_ms);
    int done =
        services_have_topic(services) ? serve_notices(runtime, services, &event, cold, err) : 1;
    if (done <= 0)
        return done;
    handler_run(&parts, event.data, event.size, cold, answer, &outcome);
    log_request(event.request_id, &outcome, cold); /* first: the runtime API reads both at once */
    done = answer->failed
               ? runtime_fail(runtime, event.request_id, "Ken.AnswerTooBig",
                              "the answer is larger than 6 MiB", err)
               : runtime_respond(runtime, event.request_id, answer->data, answer->size, err);
    archive(services, &outcome);
    return done;
}

/* Ends only when the runtime API stops answering. */
static int serve(struct runtime *runtime, struct services *services)
{
    struct err err = {0};
    struct buf answer;
    buf_init(&answer, MAX_ANSWER_BYTES);
    int failures = 0;
    for (int cold = 1; failures < MAX_RUNTIME_FAILURES;) {
        if (serve_one(runtime, services, cold, &answer, &err) == 0) {
            cold = failures = 0;
            continue;
        }
        report(err.message);
        failures++;
        clock_sleep_until_ns(clock_monotonic_ns() + 20000000ull * (unsigned)failures);
    }
    buf_finish(&answer);
    return EXIT_FAILURE;
}

static int refuse_to_start(struct runtime *runtime, const char *message)
{
    struct err err = {0};
    report(message);
    if (runtime_fail_init(runtime, "Ken.InitFailed", message, &err) < 0)
        report(err.message);
    runtime_destroy(runtime);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    struct err err = {0};
    signal(SIGPIPE, SIG_IGN);
    core_forbid();
    OPENSSL_init_crypto(openssl_leaves_out, NULL);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("ken-function %s\n", KEN_VERSION);
        return EXIT_SUCCESS;
    }
    if (!api || !*api) {
        report("AWS_LAMBDA_RUNTIME_API is not set: this program runs as a Lambda function "
               "(see ken deploy)");
        return 2;
    }
    struct runtime *runtime = runtime_create(api, &err);
    if (!runtime) {
        report(err.message);
        return EXIT_FAILURE;
    }
    struct services *services = services_open(&err);
    if (!services)
        return refuse_to_start(runtime, err.message);
    int status = serve(runtime, services);
    services_close(services);
    runtime_destroy(runtime);
    return status;
}
