#include "base/clock.h"
#include "base/log.h"
#include "cloud/lambda/private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* What other threads ask of the manager's: they put messages into its list and wake it. */

static void send_message(struct manager *m, struct message *message)
{
    pthread_mutex_lock(&m->lock);
    int was_empty = !m->messages;
    *m->messages_end = message;
    m->messages_end = &message->next;
    pthread_mutex_unlock(&m->lock);
    if (was_empty)
        eventfd_write(m->event_fd, 1);
}

static void receive(struct manager *m, struct message *message)
{
    switch (message->kind) {
    case MESSAGE_INVOKE:
        pool_take_job(m, message->job);
        break;
    case MESSAGE_UPDATE:
        pool_update(m, message->function);
        break;
    case MESSAGE_RETIRE:
        pool_retire(m, message->function);
        break;
    case MESSAGE_PROVISION:
        pool_provision(m, message->function, message->instances);
        break;
    case MESSAGE_DRAIN:
        for (struct pool *pool = m->pools; pool; pool = pool->next)
            pool_drain(m, pool, clock_monotonic_ns() + MANAGER_DRAIN_MS * 1000000ULL);
        break;
    }
    function_release(message->function);
    free(message);
}

void manager_receive(struct manager *m)
{
    eventfd_t ignored;
    eventfd_read(m->event_fd, &ignored);
    pthread_mutex_lock(&m->lock);
    struct message *list = m->messages;
    m->messages = NULL;
    m->messages_end = &m->messages;
    pthread_mutex_unlock(&m->lock);
    while (list) {
        struct message *message = list;
        list = message->next;
        receive(m, message);
    }
}

static struct job *job_create(const struct manager *m, const struct manager_request *request)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->payload = malloc(request->payload_bytes + 1);
    if (!job->payload) {
        free(job);
        return NULL;
    }
    if (request->payload_bytes)
        memcpy(job->payload, request->payload, request->payload_bytes);
    job->payload[request->payload_bytes] = 0;
    job->payload_bytes = request->payload_bytes;
    snprintf(job->request_id, sizeof job->request_id, "%s", request->request_id);
    job->function = function_hold(request->function);
    job->latest = function_hold(request->latest ? request->latest : request->function);
    snprintf(job->arn, sizeof job->arn, "%s", request->arn ? request->arn : request->function->arn);
    job->is_event = request->is_event;
    if (request->client_context)
        job->client_context = strdup(request->client_context);
    job->done = request->done;
    job->context = request->context;
    long wait_ms = job->is_event ? request->wait_ms : m->options.queue_ms;
    if (wait_ms)
        job->give_up_ns = clock_monotonic_ns() + (uint64_t)wait_ms * 1000000;
    return job;
}

void job_destroy(struct job *job)
{
    function_release(job->function);
    function_release(job->latest);
    free(job->payload);
    free(job->client_context);
    free(job);
}

static void refuse(const struct manager_request *request, int status, const char *message)
{
    request->done(request->context, &(struct lambda_result){.status = status,
                                                            .error_type = "ServiceException",
                                                            .error_message = message});
}

void manager_invoke(struct manager *m, const struct manager_request *request)
{
    struct err err = {0};
    if (code_check(request->function->code, &err) < 0) {
        log_line(LOG_ERROR, "lambda: %s", err.message);
        refuse(request, 500, "The function's code is damaged or cannot be read.");
        return;
    }
    struct message *message = calloc(1, sizeof *message);
    struct job *job = job_create(m, request);
    if (!message || !job) {
        free(message);
        if (job)
            job_destroy(job);
        refuse(request, 503, "out of memory");
        return;
    }
    message->kind = MESSAGE_INVOKE;
    message->job = job;
    send_message(m, message);
}

static void send_function(struct manager *m, int kind, struct function *function, size_t instances)
{
    struct message *message = calloc(1, sizeof *message);
    if (!message) {
        log_line(LOG_ERROR, "lambda: no memory: old instances stay");
        return;
    }
    message->kind = kind;
    message->instances = instances;
    message->function = function ? function_hold(function) : NULL;
    send_message(m, message);
}

void manager_update(struct manager *m, struct function *function)
{
    send_function(m, MESSAGE_UPDATE, function, 0);
}

void manager_retire(struct manager *m, struct function *function)
{
    send_function(m, MESSAGE_RETIRE, function, 0);
}

void manager_provision(struct manager *m, struct function *function, size_t instances)
{
    send_function(m, MESSAGE_PROVISION, function, instances);
}

void manager_drain(struct manager *m)
{
    send_function(m, MESSAGE_DRAIN, NULL, 0);
}
