#include "base/clock.h"
#include "cloud/lambda/private.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Metrics */

static void put(struct manager *m, const char *function, const char *name, double value,
                const char *unit)
{
    const struct metric_dimension dimension = {"FunctionName", function};
    struct metric_value of_function = {"AWS/Lambda", name, &dimension,     1,
                                       value,        unit, clock_unix_ms()};
    struct metric_value of_all = of_function;
    of_all.dimension_count = 0;
    if (!m->options.metrics)
        return;
    metrics_put(m->options.metrics, &of_function);
    metrics_put(m->options.metrics, &of_all);
}

static void put_run(struct manager *m, const char *function, int failed, double duration_ms)
{
    put(m, function, "Invocations", 1, "Count");
    put(m, function, "Errors", failed, "Count");
    put(m, function, "Throttles", 0, "Count");
    put(m, function, "Duration", duration_ms, "Milliseconds");
}

void outcome_started(struct manager *m, struct instance *instance)
{
    size_t busy = 0;
    for (const struct instance *i = instance->pool->instances; i; i = i->next)
        busy += i->state == INSTANCE_BUSY;
    put(m, instance->function->name, "ConcurrentExecutions", (double)busy, "Count");
    output_begin_request(&instance->output);
    output_line(&instance->output, "START RequestId: %s Version: %s", instance->job->request_id,
                instance->function->version);
}

/* The log's last words on a request. */

static void log_report(struct instance *instance, const char *request_id, double duration_ms)
{
    char init[64] = "";
    size_t used = process_memory_bytes(&instance->process);
    if (used > instance->peak_memory_bytes)
        instance->peak_memory_bytes = used;
    size_t most = (size_t)instance->function->memory_mb * 1024 * 1024; /* files are on top */
    if (instance->peak_memory_bytes > most)
        instance->peak_memory_bytes = most;
    if (!instance->has_reported_init)
        snprintf(init, sizeof init, "\tInit Duration: %.2f ms", instance->init_ms);
    instance->has_reported_init = 1;
    output_line(&instance->output, "END RequestId: %s", request_id);
    output_line(&instance->output,
                "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %.0f ms\t"
                "Memory Size: %ld MB\tMax Memory Used: %zu MB%s",
                request_id, duration_ms, ceil(duration_ms), instance->function->memory_mb,
                (instance->peak_memory_bytes + 1024 * 1024 - 1) / (1024 * 1024), init);
}

static void answer(struct job *job, struct lambda_result *result)
{
    job->done(job->context, result);
    job_destroy(job);
}

static void finish(struct manager *m, struct instance *instance, struct lambda_result *result)
{
    char tail[OUTPUT_TAIL_BYTES + 1];
    struct job *job = instance->job;
    double duration_ms = clock_ms_since(job->begun_ns);
    instance->job = NULL;
    log_report(instance, job->request_id, duration_ms);
    put_run(m, instance->function->name, result->function_error != NULL, duration_ms);
    output_copy_tail(&instance->output, tail);
    result->status = 200;
    result->log_tail = tail;
    result->executed_version = instance->function->version;
    answer(job, result);
}

void outcome_answer(struct manager *m, struct instance *instance, const void *payload, size_t size)
{
    finish(m, instance, &(struct lambda_result){.payload = payload, .payload_bytes = size});
}

void outcome_error(struct manager *m, struct instance *instance, const char *kind,
                   const void *payload, size_t size)
{
    finish(
        m, instance,
        &(struct lambda_result){.function_error = kind, .payload = payload, .payload_bytes = size});
}

static char *error_payload(const char *request_id, const char *type, const char *message)
{
    json_t *value = json_pack("{s:s, s:o}", "errorType", type, "errorMessage",
                              json_sprintf("RequestId: %s Error: %s", request_id, message));
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    return text;
}

void outcome_fail(struct manager *m, struct instance *instance, const char *type,
                  const char *message)
{
    char time[CLOCK_TEXT_BYTES];
    const char *request_id = instance->job->request_id;
    char *payload = error_payload(request_id, type, message);
    clock_text(clock_unix_ms(), time);
    if (strcmp(type, "Sandbox.Timedout") == 0)
        output_line(&instance->output, "%s %s %s", time, request_id, message);
    else
        output_line(&instance->output, "RequestId: %s Error: %s", request_id, message);
    outcome_error(m, instance, "Unhandled", payload ? payload : "{}",
                  payload ? strlen(payload) : 2);
    free(payload);
}

/* A request whose instance never asked for work: it counts as a failed invocation. */
void outcome_init_error(struct manager *m, struct instance *instance, struct job *job,
                        const void *payload, size_t size)
{
    char tail[OUTPUT_TAIL_BYTES + 1] = "";
    if (instance) {
        output_line(&instance->output,
                    "INIT_REPORT Init Duration: %.2f ms\tPhase: init\t"
                    "Status: error",
                    clock_ms_since(instance->started_ns));
        output_copy_tail(&instance->output, tail);
    }
    if (!job)
        return; /* another instance took it */
    put_run(m, job->function->name, 1, 0);
    answer(job, &(struct lambda_result){.status = 200,
                                        .function_error = "Unhandled",
                                        .payload = payload,
                                        .payload_bytes = size,
                                        .log_tail = tail,
                                        .executed_version = job->function->version});
}

void outcome_init_fail(struct manager *m, struct instance *instance, struct job *job,
                       const char *type, const char *message)
{
    char *payload = error_payload(job ? job->request_id : "", type, message);
    outcome_init_error(m, instance, job, payload ? payload : "{}", payload ? strlen(payload) : 2);
    free(payload);
}

void outcome_refuse(struct job *job, int status, const char *type, const char *message)
{
    answer(job,
           &(struct lambda_result){.status = status, .error_type = type, .error_message = message});
}

void outcome_throttle(struct manager *m, struct job *job)
{
    put(m, job->function->name, "Throttles", 1, "Count");
    answer(job, &(struct lambda_result){
                    .status = 429,
                    .error_type = "TooManyRequestsException",
                    .error_message = "Rate Exceeded.",
                    .error_reason = job->latest->reserved >= 0
                                        ? "ReservedFunctionConcurrentInvocationLimitExceeded"
                                        : "ConcurrentInvocationLimitExceeded"});
}
