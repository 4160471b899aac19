#include "cloud/lambda/mapping_parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cloud/lambda/batch.h"
#include "cloud/lambda/event_filter.h"
#include "cloud/lambda/service.h"
#include "cloud/sqs/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The thread of event source mappings: gathers batches, hands them to functions, deletes what they
 * have dealt with. */

enum { LOOK_MS = 25, BACK_OFF_MS = 1000 };

/* A batch comes back. */

void mapping_free_flight(struct flight *flight)
{
    json_decref(flight->messages);
    free(flight->answer);
    free(flight);
}

static void on_done(void *context, const struct lambda_result *result)
{
    struct flight *flight = context;
    struct mappings *m = flight->mappings;
    flight->status = result->status;
    if (result->status == 200 && !result->function_error)
        flight->answer = strndup(result->payload ? result->payload : "", result->payload_bytes);
    flight->answer_bytes = flight->answer ? strlen(flight->answer) : 0;
    pthread_mutex_lock(&m->lock);
    m->flights--;
    int is_gone = m->is_gone;
    if (!is_gone) {
        flight->next = m->finished;
        m->finished = flight;
    }
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    if (is_gone)
        mapping_free_flight(flight); /* its messages come again */
}

static void delete_done(struct mappings *m, const struct flight *flight, const json_t *failed)
{
    const char *handles[QUEUE_SOURCE_MOST];
    size_t i, count = 0, total = json_array_size(flight->messages);
    json_t *message;
    json_array_foreach(flight->messages, i, message)
    {
        struct err err = {0};
        if (!json_object_get(failed, mapping_text(message, "MessageId")))
            handles[count++] = mapping_text(message, "ReceiptHandle");
        if (!count || (count < QUEUE_SOURCE_MOST && i + 1 < total))
            continue;
        if (queue_source_delete(m->lambda->cloud->sqs, flight->arn, handles, count, &err) < 0)
            log_line(LOG_WARN, "lambda: %s", err.message);
        count = 0;
    }
}

static struct source *find_source(struct mappings *m, const char *uuid)
{
    for (struct source *s = m->sources; s; s = s->next)
        if (strcmp(s->uuid, uuid) == 0)
            return s;
    return NULL;
}

static void settle(struct mappings *m, struct flight *flight)
{
    struct source *source = find_source(m, flight->uuid);
    if (source) {
        source->in_flight--;
        if (flight->status != 200) /* no room: the messages come again */
            source->not_before_ms = clock_unix_ms() + BACK_OFF_MS;
    }
    json_t *failed = NULL;
    if (flight->answer)
        failed = flight->reports_failures
                     ? batch_read_failures(flight->answer, flight->answer_bytes, flight->messages)
                     : json_object();
    if (failed)
        delete_done(m, flight, failed);
    json_decref(failed);
    mapping_free_flight(flight);
}

/* A batch goes out. */

static int reports_failures(const json_t *mapping)
{
    return json_array_size(json_object_get(mapping, "FunctionResponseTypes")) > 0;
}

static void send(struct mappings *m, struct source *source, const json_t *mapping)
{
    char request_id[RANDOM_UUID_BYTES];
    struct lambda_target target;
    struct err err = {0};
    struct flight *flight = calloc(1, sizeof *flight);
    char *event = batch_create_event(source->gathering, mapping_text(mapping, "EventSourceArn"),
                                     m->lambda->cloud->region);
    if (!flight || !event ||
        lambda_resolve(m->lambda, mapping_text(mapping, "FunctionArn"), NULL, &target, &err) < 0) {
        free(flight);
        free(event);
        json_decref(source->gathering);
        source->gathering = NULL;
        source->not_before_ms = clock_unix_ms() + BACK_OFF_MS;
        return;
    }
    *flight = (struct flight){.mappings = m,
                              .messages = source->gathering,
                              .reports_failures = reports_failures(mapping)};
    snprintf(flight->uuid, sizeof flight->uuid, "%s", source->uuid);
    snprintf(flight->arn, sizeof flight->arn, "%s", mapping_text(mapping, "EventSourceArn"));
    source->gathering = NULL;
    source->in_flight++;
    pthread_mutex_lock(&m->lock);
    m->flights++;
    pthread_mutex_unlock(&m->lock);
    random_uuid(request_id);
    manager_invoke(m->lambda->manager,
                   &(struct manager_request){.function = target.function,
                                             .latest = target.latest,
                                             .arn = *target.qualifier ? target.arn : NULL,
                                             .request_id = request_id,
                                             .payload = event,
                                             .payload_bytes = strlen(event),
                                             .done = on_done,
                                             .context = flight});
    free(event);
    lambda_release(&target);
}

static long number(const json_t *mapping, const char *name, long otherwise)
{
    const json_t *value = json_object_get(mapping, name);
    return json_is_integer(value) ? (long)json_integer_value(value) : otherwise;
}

static size_t bytes_of(const json_t *messages, size_t from)
{
    size_t bytes = 0;
    for (size_t i = from; i < json_array_size(messages); i++)
        bytes += json_dumpb(json_array_get(messages, i), NULL, 0, JSON_COMPACT);
    return bytes;
}

/* Messages that no filter lets through are done with: they are deleted, as on AWS. */
static void drop_filtered(struct mappings *m, const json_t *mapping, json_t *messages, size_t from)
{
    const json_t *criteria = json_object_get(mapping, "FilterCriteria");
    const char *arn = mapping_text(mapping, "EventSourceArn"), *handles[QUEUE_SOURCE_MOST];
    json_t *dropped = criteria ? json_array() : NULL;
    struct err err = {0};
    size_t count = 0;
    for (size_t i = from; criteria && i < json_array_size(messages);) {
        json_t *message = json_array_get(messages, i);
        json_t *record = batch_record(message, arn, m->lambda->cloud->region);
        int passes = event_filter_passes(criteria, record);
        json_decref(record);
        if (passes || count == QUEUE_SOURCE_MOST) {
            i++;
            continue;
        }
        handles[count++] = mapping_text(message, "ReceiptHandle");
        json_array_append(dropped, message); /* which holds the handle */
        json_array_remove(messages, i);
    }
    if (count && queue_source_delete(m->lambda->cloud->sqs, arn, handles, count, &err) < 0)
        log_line(LOG_WARN, "lambda: %s", err.message);
    json_decref(dropped);
}

/* Receives once for the batch; returns 1 when there was something. */
static int gather(struct mappings *m, struct source *source, const json_t *mapping, long most)
{
    struct err err = {0};
    size_t before = json_array_size(source->gathering);
    if ((long)before >= most ||
        !queue_source_is_ready(m->lambda->cloud->sqs, mapping_text(mapping, "EventSourceArn")))
        return 0;
    if (!source->gathering) {
        source->gathering = json_array();
        source->gathering_bytes = 0;
        source->since_ms = clock_unix_ms();
    }
    if (queue_source_receive(m->lambda->cloud->sqs, mapping_text(mapping, "EventSourceArn"),
                             (int)(most - (long)before < QUEUE_SOURCE_MOST ? most - (long)before
                                                                           : QUEUE_SOURCE_MOST),
                             source->gathering, &err) < 0) {
        log_line(LOG_WARN, "lambda: %s", err.message);
        source->not_before_ms = clock_unix_ms() + BACK_OFF_MS;
    }
    int got = json_array_size(source->gathering) > before;
    drop_filtered(m, mapping, source->gathering, before);
    source->gathering_bytes += bytes_of(source->gathering, before);
    return got;
}

/* Enough of it for an event: full, near the largest event, or its window is over. */
static int is_complete(const struct source *source, const json_t *mapping, long most)
{
    long window_s = number(mapping, "MaximumBatchingWindowInSeconds", 0);
    size_t count = json_array_size(source->gathering);
    if (count == 0)
        return 0;
    return (long)count >= most || source->gathering_bytes > MAPPING_MAX_EVENT_BYTES / 2 ||
           clock_unix_ms() >= source->since_ms + window_s * 1000;
}

static long concurrency(const json_t *mapping)
{
    return number(json_object_get(mapping, "ScalingConfig"), "MaximumConcurrency",
                  MAPPING_CONCURRENCY);
}

static void serve(struct mappings *m, struct source *source, const json_t *mapping)
{
    long most = number(mapping, "BatchSize", QUEUE_SOURCE_MOST);
    if (source->not_before_ms > clock_unix_ms())
        return;
    while (source->in_flight < concurrency(mapping)) {
        int got = gather(m, source, mapping, most);
        if (is_complete(source, mapping, most) &&
            (!got || (long)json_array_size(source->gathering) >= most ||
             source->gathering_bytes > MAPPING_MAX_EVENT_BYTES / 2))
            send(m, source, mapping);
        else if (!got)
            break;
    }
    if (source->gathering && json_array_size(source->gathering) == 0) {
        json_decref(source->gathering);
        source->gathering = NULL;
    }
}

static struct source *open_source(struct mappings *m, const char *uuid)
{
    struct source *source = find_source(m, uuid);
    if (source || !(source = calloc(1, sizeof *source)))
        return source;
    snprintf(source->uuid, sizeof source->uuid, "%s", uuid);
    source->next = m->sources;
    return m->sources = source;
}

/* Sources without a mapping go when nothing of them runs; what they had gathered comes again. */
static void drop_sources(struct mappings *m, const json_t *all)
{
    for (struct source **at = &m->sources; *at;) {
        struct source *source = *at;
        if ((all && json_object_get(all, source->uuid)) || source->in_flight > 0) {
            at = &source->next;
            continue;
        }
        *at = source->next;
        json_decref(source->gathering);
        free(source);
    }
}

static int serve_all(struct mappings *m, const json_t *all)
{
    const char *uuid;
    json_t *mapping;
    int enabled = 0;
    json_object_foreach((json_t *)(uintptr_t)all, uuid, mapping)
    {
        struct source *source =
            strcmp(mapping_text(mapping, "State"), "Enabled") == 0 ? open_source(m, uuid) : NULL;
        if (source)
            serve(m, source, mapping);
        enabled += source != NULL;
    }
    drop_sources(m, all);
    return enabled;
}

/* Under the lock: until something changed, or for a moment when there are queues to look at. */
static void rest(struct mappings *m, int looks)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (looks)
        pthread_cond_timedwait(&m->changed, &m->lock, &until);
    else
        pthread_cond_wait(&m->changed, &m->lock);
}

void *mappings_run(void *self)
{
    struct mappings *m = self;
    pthread_mutex_lock(&m->lock);
    while (!m->is_gone) {
        struct flight *finished = m->finished;
        json_t *all = json_incref(m->all); /* replaced as a whole, never changed */
        int is_stopping = m->is_stopping, looks = 0;
        m->finished = NULL;
        pthread_mutex_unlock(&m->lock);
        int had_some = finished != NULL;
        while (finished) {
            struct flight *next = finished->next;
            settle(m, finished);
            finished = next;
        }
        if (!is_stopping)
            looks = serve_all(m, all);
        json_decref(all);
        pthread_mutex_lock(&m->lock);
        if (!m->finished && !m->is_gone && !had_some)
            rest(m, looks);
    }
    pthread_mutex_unlock(&m->lock);
    drop_sources(m, NULL);
    return NULL;
}
