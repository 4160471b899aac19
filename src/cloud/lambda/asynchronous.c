#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cloud/deliver.h"
#include "cloud/lambda/permission.h"
#include "cloud/lambda/service.h"
#include "cloud/metrics.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What becomes of asynchronous invocations: attempts, their limits, and where their end is told.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */

enum {
    FIRST_REFUSED_MS = 1000, /* without room: a second, doubled each time, up to five minutes */
    MOST_REFUSED_MS = 300000,
    MAX_ERROR_MESSAGE_BYTES = 1024
};
#define TOO_OLD "EventAgeExceeded" /* of results that no attempt gave */

static void put_metric(const struct lambda *lambda, const char *function, const char *name,
                       double value, const char *unit)
{
    const struct metric_dimension dimension = {"FunctionName", function};
    if (lambda->cloud->metrics)
        metrics_put(lambda->cloud->metrics,
                    &(struct metric_value){"AWS/Lambda", name, &dimension, 1, value, unit,
                                           clock_unix_ms()});
}

/* The settings that hold for an event. */

struct limits {
    json_int_t retries;
    int64_t age_ms;
    const char *on_success, *on_failure, *dead_letter; /* ARNs; NULL: none. The record's */
};

static struct limits find_limits(const struct lambda_target *target)
{
    const json_t *config =
        lambda_part(target->latest->record, "EventInvokeConfigs", target->qualifier);
    const json_t *retries = json_object_get(config, "MaximumRetryAttempts");
    const json_t *age_s = json_object_get(config, "MaximumEventAgeInSeconds");
    const char *letters = json_string_value(json_object_get(
        json_object_get(target->function->configuration, "DeadLetterConfig"), "TargetArn"));
    return (struct limits){
        .retries = json_is_integer(retries) ? json_integer_value(retries) : LAMBDA_RETRIES,
        .age_ms = (json_is_integer(age_s) ? json_integer_value(age_s) : LAMBDA_EVENT_AGE_S) * 1000,
        .on_success = lambda_destination(config, "OnSuccess"),
        .on_failure = lambda_destination(config, "OnFailure"),
        .dead_letter = letters && *letters ? letters : NULL};
}

/* An attempt. */

static void refuse(lambda_done *done, void *context, int status, const char *type,
                   const char *message)
{
    done(context,
         &(struct lambda_result){.status = status, .error_type = type, .error_message = message});
}

static void launch(void *self, const struct event *event, lambda_done *done, void *context)
{
    struct lambda *lambda = self;
    struct lambda_target target;
    struct err err = {0};
    if (lambda_resolve(lambda, event->function, NULL, &target, &err) < 0) {
        refuse(done, context, 404, "ResourceNotFoundException", err.message);
        return;
    }
    struct limits limits = find_limits(&target);
    int64_t left_ms = event->received_unix_ms + limits.age_ms - clock_unix_ms();
    if (left_ms <= 0)
        refuse(done, context, 408, TOO_OLD, "the event is too old");
    else
        manager_invoke(lambda->manager,
                       &(struct manager_request){.function = target.function,
                                                 .latest = target.latest,
                                                 .arn = *target.qualifier ? target.arn : NULL,
                                                 .request_id = event->request_id,
                                                 .payload = event->payload,
                                                 .payload_bytes = event->payload_bytes,
                                                 .is_event = 1,
                                                 .wait_ms = (long)left_ms,
                                                 .done = done,
                                                 .context = context});
    lambda_release(&target);
}

/* The end of an event: who is told. */

struct ending {
    struct lambda *lambda;
    const struct lambda_target *target;
    const struct event *event;
    const struct lambda_result *result;
    const char *condition; /* "Success", "RetriesExhausted", "EventAgeExceeded" */
};

static json_t *json_or_text(const void *data, size_t size)
{
    json_t *value = json_loadb(data ? data : "", size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!value)
        value = json_stringn(data ? data : "", size);
    return value ? value : json_null();
}

static char *make_record(const struct ending *end)
{
    char time[CLOCK_TEXT_BYTES], arn[FUNCTION_ARN_BYTES];
    const struct lambda_result *result = end->result;
    const char *qualifier = *end->target->qualifier ? end->target->qualifier : "$LATEST";
    lambda_function_arn(end->lambda, end->target->latest->name, qualifier, arn);
    clock_text(clock_unix_ms(), time);
    json_t *record =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:i}, s:o}", "version", "1.0", "timestamp", time,
                  "requestContext", "requestId", end->event->request_id, "functionArn", arn,
                  "condition", end->condition, "approximateInvokeCount",
                  end->event->attempts + (strcmp(end->condition, "Success") == 0), "requestPayload",
                  json_or_text(end->event->payload, end->event->payload_bytes));
    if (record && result->status == 200) {
        json_t *context =
            json_pack("{s:i, s:s}", "statusCode", 200, "executedVersion",
                      result->executed_version ? result->executed_version : "$LATEST");
        if (result->function_error)
            json_object_set_new(context, "functionError", json_string(result->function_error));
        json_object_set_new(record, "responseContext", context);
        json_object_set_new(record, "responsePayload",
                            json_or_text(result->payload, result->payload_bytes));
    }
    char *text = record ? json_dumps(record, JSON_COMPACT) : NULL;
    json_decref(record);
    return text;
}

static void tell(const struct ending *end, const char *arn, const char *body, size_t size,
                 const char *attributes)
{
    struct err err = {0};
    const char *name = end->target->latest->name;
    const char *metric = attributes ? "DeadLetterErrors" : "DestinationDeliveryFailures";
    if (cloud_deliver(end->lambda->cloud,
                      &(struct delivery){.target_arn = arn,
                                         .source_arn = end->target->latest->arn,
                                         .body = body,
                                         .body_bytes = size,
                                         .attributes = attributes},
                      &err) == 0)
        return;
    log_line(LOG_WARN, "lambda: %s: tell of an event's end: %s", name, err.message);
    put_metric(end->lambda, name, metric, 1, "Count");
}

static void tell_destination(const struct ending *end, const char *arn)
{
    char *record = arn ? make_record(end) : NULL;
    if (record)
        tell(end, arn, record, strlen(record), NULL);
    free(record);
}

/* The event itself, and why in its attributes. */
static void tell_dead_letter(const struct ending *end, const char *arn)
{
    json_t *payload = json_loadb(end->result->payload ? end->result->payload : "",
                                 end->result->payload_bytes, JSON_ALLOW_NUL, NULL);
    const char *message = json_string_value(json_object_get(payload, "errorMessage"));
    if (!message)
        message = strcmp(end->condition, TOO_OLD) == 0 ? TOO_OLD : "Unhandled";
    json_t *attributes =
        json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:o}}", "RequestID", "DataType", "String",
                  "StringValue", end->event->request_id, "ErrorCode", "DataType", "Number",
                  "StringValue", "200", "ErrorMessage", "DataType", "String", "StringValue",
                  json_sprintf("%.*s", MAX_ERROR_MESSAGE_BYTES, message));
    char *text = attributes ? json_dumps(attributes, JSON_COMPACT) : NULL;
    if (text)
        tell(end, arn, end->event->payload, end->event->payload_bytes, text);
    free(text);
    json_decref(attributes);
    json_decref(payload);
}

static int64_t finish(const struct ending *end, const struct limits *limits)
{
    int is_success = strcmp(end->condition, "Success") == 0;
    const char *arn = is_success ? limits->on_success : limits->on_failure;
    const char *letters = is_success ? NULL : limits->dead_letter;
    if ((arn || letters) && atomic_load(&end->lambda->is_stopping))
        return EVENT_LEFT; /* those who would be told may be gone */
    tell_destination(end, arn);
    if (letters)
        tell_dead_letter(end, letters);
    if (!is_success)
        put_metric(end->lambda, end->target->latest->name, "AsyncEventsDropped", 1, "Count");
    return EVENT_FINISHED;
}

static int64_t refused_delay_ms(int refusals)
{
    int64_t ms = FIRST_REFUSED_MS;
    for (int i = 1; i < refusals && ms < MOST_REFUSED_MS; i++)
        ms *= 2;
    return ms < MOST_REFUSED_MS ? ms : MOST_REFUSED_MS;
}

/* Failed, refused, or too old. */
static int64_t settle_failure(struct ending *end, struct event *event, const struct limits *limits)
{
    const struct lambda_result *result = end->result;
    int64_t left_ms = event->received_unix_ms + limits->age_ms - clock_unix_ms(), delay_ms;
    if (atomic_load(&end->lambda->is_stopping))
        return EVENT_LEFT; /* it failed because the cloud stops, perhaps */
    if (result->function_error) {
        end->condition = "RetriesExhausted";
        if (++event->attempts > limits->retries)
            return finish(end, limits);
        delay_ms = end->lambda->retry_ms[event->attempts > 1];
    } else {
        delay_ms = refused_delay_ms(++event->refusals);
    }
    end->condition = TOO_OLD;
    if (left_ms <= 0)
        return finish(end, limits);
    return delay_ms < left_ms ? delay_ms : left_ms;
}

static int64_t settle(void *self, struct event *event, const struct lambda_result *result)
{
    struct lambda_target target;
    struct err err = {0};
    if (result->status == 404 || lambda_resolve(self, event->function, NULL, &target, &err) < 0) {
        log_line(LOG_WARN, "lambda: an event for %s is dropped: there is no such function",
                 event->function);
        return EVENT_FINISHED;
    }
    struct limits limits = find_limits(&target);
    struct ending end = {.lambda = self,
                         .target = &target,
                         .event = event,
                         .result = result,
                         .condition = "Success"};
    put_metric(self, target.latest->name, "AsyncEventAge",
               (double)(clock_unix_ms() - event->received_unix_ms), "Milliseconds");
    int64_t verdict = result->status == 200 && !result->function_error
                          ? finish(&end, &limits)
                          : settle_failure(&end, event, &limits);
    lambda_release(&target);
    return verdict;
}

int lambda_put_event(struct lambda *lambda, const struct lambda_target *target,
                     const char *request_id, const void *payload, size_t size, struct err *err)
{
    char function[FUNCTION_NAME_BYTES + FUNCTION_QUALIFIER_BYTES];
    snprintf(function, sizeof function, "%s%s%s", target->latest->name,
             *target->qualifier ? ":" : "", target->qualifier);
    struct event event = {.function = function,
                          .received_unix_ms = clock_unix_ms(),
                          .payload = (char *)(uintptr_t)payload,
                          .payload_bytes = size};
    snprintf(event.request_id, sizeof event.request_id, "%s", request_id);
    if (events_put(lambda->events, &event, err) < 0)
        return -1;
    put_metric(lambda, target->latest->name, "AsyncEventsReceived", 1, "Count");
    return 0;
}

/* As the target of other services. */

/* The service that hands events over on behalf of `source_arn`; NULL: it needs no permission. A
 * destination does not: there the role of the other function says what it may. */
static const char *service_of(const char *source_arn)
{
    static const struct {
        const char *prefix, *service;
    } known[] = {{"arn:aws:s3:", "s3.amazonaws.com"},
                 {"arn:aws:sns:", "sns.amazonaws.com"},
                 {"arn:aws:cloudwatch:", "lambda.alarms.cloudwatch.amazonaws.com"}};
    for (size_t i = 0; source_arn && i < sizeof known / sizeof *known; i++)
        if (strncmp(source_arn, known[i].prefix, strlen(known[i].prefix)) == 0)
            return known[i].service;
    return NULL;
}

static int permits(void *self, const char *arn, const char *source_arn, struct err *err)
{
    const struct lambda_caller caller = {service_of(source_arn), source_arn};
    if (!caller.service || lambda_permits(self, arn, &caller))
        return 0;
    return err_set(err, ERR_DENIED, "%s of %s may not invoke %s (lambda add-permission)",
                   caller.service, source_arn, arn);
}

static int deliver(void *self, const struct delivery *delivery, struct err *err)
{
    char request_id[RANDOM_UUID_BYTES];
    struct lambda_target target;
    if (delivery->body_bytes > LAMBDA_MAX_EVENT_BYTES)
        return err_set(err, ERR_TOO_BIG, "invoke %s: the event is larger than %d bytes",
                       delivery->target_arn, LAMBDA_MAX_EVENT_BYTES);
    if (lambda_resolve(self, delivery->target_arn, NULL, &target, err) < 0)
        return -1;
    if (permits(self, delivery->target_arn, delivery->source_arn, err) < 0) {
        lambda_release(&target);
        return -1;
    }
    random_uuid(request_id);
    int result =
        lambda_put_event(self, &target, request_id, delivery->body, delivery->body_bytes, err);
    lambda_release(&target);
    return result;
}

static int check(void *self, const char *arn, struct err *err)
{
    struct lambda_target target;
    if (lambda_resolve(self, arn, NULL, &target, err) < 0)
        return -1;
    lambda_release(&target);
    return 0;
}

int lambda_events_register(struct lambda *lambda, struct err *err)
{
    return cloud_add_target(lambda->cloud,
                            &(struct delivery_target){.service = "lambda",
                                                      .deliver = deliver,
                                                      .check = check,
                                                      .permits = permits,
                                                      .self = lambda},
                            err);
}

int lambda_events_open(struct lambda *lambda, struct err *err)
{
    char path[4096];
    if (cloud_path(lambda->cloud, "lambda/events.sqlite", path, sizeof path, err) < 0)
        return -1;
    lambda->events = events_open(
        path, &(struct events_owner){.launch = launch, .settle = settle, .self = lambda}, err);
    return lambda->events ? 0 : -1;
}
